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


def measure(seeds: int = SEEDS, seeds_per_job: int = 1) -> dict[str, float]:
    """Runs and jobs planned, CPU and elapsed seconds, peak MiB.

    Args:
        seeds: 7 make a thousand runs, 76 ten thousand, 695 a hundred thousand.
        seeds_per_job: 1, the hardest case, makes a job of every run.
    """
    table = {"id": "accuracy", "title": "plan", "metrics": ["avg_acc_unweighted"]}
    suite = {"suite": "plan", "scenarios": SCENARIOS, "methods": METHODS, "seeds": list(range(seeds))}
    suite |= {"seeds_per_job": seeds_per_job, "tables": [table]}
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
    counts = {name: int(count) for name, count in re.findall(r"^(\S+) +(\d+)$", text, flags=re.MULTILINE)}
    runs = len(SCENARIOS) * len(METHODS) * seeds
    trained = sum(count for name, count in counts.items() if name.split("_")[0] == "train")
    if trained != len(SCENARIOS) * len(METHODS) * -(-seeds // seeds_per_job):
        raise RuntimeError(f"{trained} jobs were planned for {runs} runs, {seeds_per_job} in each")
    used_s = used.ru_utime + used.ru_stime
    memory = used.ru_maxrss / 1024
    return {"runs": runs, "jobs": counts["total"], "seconds": seconds, "cpu_s": used_s, "peak_mib": memory}


if __name__ == "__main__":
    for text in sys.argv[1:] or ["7", "76"]:
        numbers = [int(part) for part in text.split("/")]  # 695/10: ten seeds per job
        sys.stdout.write(json.dumps(measure(*numbers)) + "\n")
        sys.stdout.flush()
