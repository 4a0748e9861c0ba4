"""The default suite on a real SLURM gives the tables and runs of a local run, byte for byte."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from slurm_cluster import Cluster
from slurm_runs import finish, submit, submitted
from workflow_checkout import ROOT, Checkout, copy_of_repository, up_to_date

from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.files import read_json
from recollect.tables.metric_info import METRICS
from recollect.tables.write import SUFFIXES

pytestmark = pytest.mark.slow
SEEDS = [0, 1]
"""Of the suite's five: every method and every kind of job, in a third of the time."""
DEFAULT = read_yaml(ROOT / "config" / "default.yaml")
MEASURED = [name for name, info in METRICS.items() if info.measured]
TABLES = [{**table, "metrics": [m for m in table["metrics"] if m not in MEASURED]} for table in DEFAULT["tables"]]
TARGETS = [f"results/tables/digits/{table['id']}.{suffix}" for table in TABLES for suffix in SUFFIXES]
KEPT = ("data", "splits", "runs", "backbones", "extractors", "features")
"""What of a finished local run goes into the reference; the rest is made from it."""


def with_fewer_seeds(folder: Path) -> Checkout:
    """A checkout in which nothing has run."""
    made = copy_of_repository(folder)
    (made.root / "fewer.yaml").write_text(yaml.safe_dump({"seeds": SEEDS, "tables": TABLES}))
    return made


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Checkout:
    """The suite without a cluster: tabulated from the results in this checkout if they are of its code."""
    made = with_fewer_seeds(tmp_path_factory.mktemp("local") / "repo")
    finished = (ROOT / "results/tables/digits/.complete").is_file() and up_to_date(ROOT)
    if finished:
        for name in KEPT:
            shutil.copytree(ROOT / "results" / name, made.root / "results" / name)
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", *TARGETS, "--cores", "2", "--configfile", "fewer.yaml"],
        cwd=made.root, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-6000:]
    assert not finished or "rule train" not in result.stderr, "what is finished is not trained again"
    return made


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """For the run on the cluster, from raw data on."""
    return with_fewer_seeds(tmp_path / "repo")


def outcome(root: Path) -> dict[str, object]:
    """Bytes of every table; status and hashes of the predictions and samples of every run."""
    found: dict[str, object] = {target: (root / target).read_bytes() for target in TARGETS}
    for seed in SEEDS:
        for path in sorted(root.glob(f"results/runs/*/*/seed{seed}/run.json")):
            record = read_json(path, "")
            hashes = [record["predictions_sha256"], record["snapshots"]]
            found[str(path.relative_to(root))] = (record["status"], *hashes)
    return found


def test_the_default_suite(checkout: Checkout, cluster: Cluster, local: Checkout) -> None:
    process = submit(checkout, cluster, TARGETS, "fewer.yaml")
    finish(process, cluster, 3600)
    expected, found = outcome(local.root), outcome(checkout.root)
    pairs = Suite.load(dict(DEFAULT), [ROOT / "config" / "default.yaml"]).pairs
    assert len(expected) == len(TARGETS) + len(SEEDS) * len(pairs)
    assert [name for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)] == []
    assert all(cluster.about(job)["JobState"] == "COMPLETED" for job in submitted(checkout))
    assert len(submitted(checkout)) > len(pairs), "every training job, and what pre-trains and judges"
