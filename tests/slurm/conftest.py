"""Fixtures: a cluster of two nodes for all tests, and the small suite as it comes out without a cluster."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, missing

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one processor; skips where there can be none."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # the path of a socket must be short
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
