"""Seconds per job that Snakemake needs beside the job: stub runs on the local executor, many against few.

The rules are those of the repository, their commands are replaced by ``touch``: what they take is bookkeeping.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from recollect.layout import ROOT

PARTS = ("Snakefile", "environment.yml", "recollect", "methods", "baselines", "config", "profiles", "workflow")
STUBBED = ("fetch", "split", "train")


def _checkout(folder: Path, seeds: int) -> None:
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    for name in STUBBED:
        path = folder / "workflow" / "rules" / f"{name}.smk"
        stub = re.sub(r"( *)shell:\n.*", r'\1shell:\n\1    "touch {output}"\n', path.read_text(), flags=re.S)
        path.write_text(stub)
    table = {"id": "accuracy", "title": "stub", "metrics": ["avg_acc_unweighted"]}
    suite = {"suite": "stub", "methods": ["naive"], "seeds": list(range(seeds)), "seeds_per_job": 1}
    (folder / "stub.yaml").write_text(yaml.safe_dump({**suite, "overrides": {}, "tables": [table]}))


def _run(seeds: int) -> tuple[int, float, float]:
    """Jobs done, CPU and elapsed seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _checkout(folder, seeds)
        targets = [f"results/runs/split_digits/naive/seed{seed}/run.json" for seed in range(seeds)]
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *targets, "--configfile", "stub.yaml"]
        start = time.perf_counter()
        with (folder / "said").open("w+") as said:
            process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            text = said.read()
        if process.returncode:
            raise RuntimeError(text[-2000:])
        jobs = int(re.findall(r"^total +(\d+)$", text, flags=re.MULTILINE)[0])
        return jobs, used.ru_utime + used.ru_stime, time.perf_counter() - start


def measure(few: int = 100, many: int = 400) -> dict[str, float]:
    """CPU and elapsed seconds per job beyond the first ones: the line through two numbers of seeds.

    Args:
        few: seeds; twice as many jobs, and so many of them are ready at once.
        many: enough that what grows with the jobs that are ready shows.
    """
    (jobs_a, cpu_a, wall_a), (jobs_b, cpu_b, wall_b) = _run(few), _run(many)
    return {
        "jobs": jobs_b, "first": jobs_a, "cpu_s": (cpu_b - cpu_a) / (jobs_b - jobs_a),
        "wall_s": (wall_b - wall_a) / (jobs_b - jobs_a),
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
