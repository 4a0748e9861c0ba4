"""Fixtures: results that nothing disturbed, and copies of them to disturb."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from pipeline import outcome, pipeline

LONG = bool(os.environ.get("RECOLLECT_FAULTS"))
"""The long form, from ``make faults``: the same cases, more of them."""


@pytest.fixture(scope="session")
def times() -> int:
    """How often a random disturbance is tried."""
    return 60 if LONG else 8


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """The same draws in every run of a test."""
    return random.Random(request.node.name)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny: object) -> Path:
    """Results of the whole pipeline; not to be written to."""
    results = tmp_path_factory.mktemp("undisturbed") / "results"
    pipeline(results)
    return results


@pytest.fixture(scope="session")
def expected(undisturbed: Path) -> dict[str, str]:
    """What every disturbed pipeline must come to in the end."""
    found = outcome(undisturbed)
    assert len(found) == 7, "five formats of one table, predictions of two runs"
    return found


@pytest.fixture
def results(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of finished results."""
    return Path(shutil.copytree(undisturbed, tmp_path / "results"))
