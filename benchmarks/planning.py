"""Seconds and memory that Snakemake takes to plan a suite of ten thousand runs (a dry run in an empty folder)."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from recollect.config.schema import read_yaml
from recollect.layout import ROOT

SCENARIOS = [
    "split_digits",
    "permuted_digits",
    "dirichlet_digits",
    "split_mnist",
    "split_mnist_permuted_order",
    "task_il_mnist",
    "permuted_mnist",
    "rotated_mnist",
    "mnist_dirichlet10",
    "data_incremental_mnist",
    "fashion_then_mnist",
    "fmnist_mnist_ci10",
]
SEEDS = 76


def measure() -> dict[str, float]:
    """Runs planned, seconds, peak MiB; one job per run (``seeds_per_job: 1``), the hardest case."""
    methods = read_yaml(ROOT / "config" / "default.yaml")["methods"]
    table = {"id": "accuracy", "title": "plan", "metrics": ["avg_acc_unweighted"]}
    suite = {"suite": "plan", "scenarios": SCENARIOS, "methods": methods, "seeds": list(range(SEEDS))}
    suite |= {"seeds_per_job": 1, "tables": [table]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plan.yaml").write_text(yaml.safe_dump(suite))
        snakefile = str(ROOT / "Snakefile")
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "2"]
        command += ["--snakefile", snakefile, "--configfile", "plan.yaml"]
        start = time.perf_counter()
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
    # The table of jobs is printed twice.
    counts = dict(re.findall(r"^(train_\S+) +(\d+)$", result.stdout + result.stderr, flags=re.MULTILINE))
    jobs = sum(int(count) for count in counts.values())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"runs": jobs, "seconds": seconds, "peak_mib": peak}
