"""Fixtures: a cluster of two nodes for all tests; what it said is shown where a test fails."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from slurm_cluster import Cluster, missing
from slurm_runs import kill_started


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one processor; skips where there can be none."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # the path of a socket must be short
    made = Cluster(folder)
    try:
        try:
            made.start()
        except TimeoutError as error:
            raise TimeoutError("\n".join([str(error), *made.logs().values()])) from None
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_goes_on(cluster: Cluster) -> Iterator[None]:
    """A test leaves nothing that runs, and no node down."""
    yield
    kill_started()
    cluster.ask("scancel", "--user=root")
    cluster.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the logs of daemons, jobs and Snakemake to the report of a failure."""
    report = yield
    if report.failed:
        arguments = getattr(item, "funcargs", {})
        if "cluster" in arguments:
            report.sections += list(arguments["cluster"].logs().items())
        if "checkout" in arguments:
            root = arguments["checkout"].root
            for path in [*root.glob("results/logs/slurm/**/*.log"), root / "snakemake.log"]:
                if path.is_file():
                    report.sections.append((str(path), path.read_text(errors="replace")[-6000:]))
    return report
