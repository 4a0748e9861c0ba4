"""Fixtures: a checkout in which the small suite has run, and one in which nothing has."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_checkout import Checkout, copy_of_repository


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose small suite has run. Tests that edit it undo what they do."""
    checkout = copy_of_repository(tmp_path_factory.mktemp("finished") / "repo")
    result = checkout.snakemake()
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run."""
    return copy_of_repository(tmp_path / "repo")
