"""Seconds and memory that Snakemake takes to plan a suite of ten thousand runs (a dry run in an empty folder)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

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
METHODS = [
    "naive",
    "joint",
    "cumulative",
    "ewc",
    "ewc_online",
    "lwf",
    "er",
    "der",
    "derpp",
    "generative_replay",
    "cope",
    "ewc_avalanche",
]
SEEDS = 76


def measure(seeds: int = SEEDS) -> dict[str, float]:
    """Runs planned, CPU and elapsed seconds, peak MiB; one job per run (``seeds_per_job: 1``), the hardest case.

    Args:
        seeds: 7 make a thousand runs, 76 ten thousand, 695 a hundred thousand.
    """
    table = {"id": "accuracy", "title": "plan", "metrics": ["avg_acc_unweighted"]}
    suite = {"suite": "plan", "scenarios": SCENARIOS, "methods": METHODS, "seeds": list(range(seeds))}
    suite |= {"seeds_per_job": 1, "tables": [table]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plan.yaml").write_text(yaml.safe_dump(suite))
        snakefile = str(ROOT / "Snakefile")
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "2"]
        command += ["--snakefile", snakefile, "--configfile", "plan.yaml"]
        start = time.perf_counter()
        with (Path(folder) / "said").open("w+") as said:
            process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            text = said.read()
        seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(text[-2000:])
    # The table of jobs is printed twice.
    counts = dict(re.findall(r"^(train_\S+) +(\d+)$", text, flags=re.MULTILINE))
    jobs = sum(int(count) for count in counts.values())
    cpu = used.ru_utime + used.ru_stime
    return {"runs": jobs, "seconds": seconds, "cpu_s": cpu, "peak_mib": used.ru_maxrss / 1024}


if __name__ == "__main__":
    for n in sys.argv[1:] or ["7", "76"]:
        sys.stdout.write(json.dumps(measure(int(n))) + "\n")
        sys.stdout.flush()
