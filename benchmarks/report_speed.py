"""Seconds and memory from ten thousand finished runs to tables and page, and what a change of one cell rebuilds.

Runs are stubs with the records and metrics of real ones; figures of the suite are not drawn here.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.planning import SCENARIOS, SEEDS
from recollect.config.schema import read_yaml
from recollect.files import read_json, write_json
from recollect.layout import ROOT
from recollect.steps.places import Places

METRICS = ("avg_acc_unweighted", "avg_acc_weighted", "forgetting_max", "bwt", "avg_inc_acc_unweighted")
SHOWN = ["avg_acc_unweighted", "forgetting_max", "avg_inc_acc_unweighted"]
MOST_METHODS = 11


def suite(seeds: int = SEEDS) -> dict[str, Any]:
    """A suite of 12 scenarios, 11 methods and 76 seeds, one table for each scenario and one of costs."""
    methods = read_yaml(ROOT / "config" / "default.yaml")["methods"][:MOST_METHODS]
    basics = {"methods": methods, "note": "", "labels": {m: m for m in methods}}
    tables: list[dict[str, Any]] = [
        {"id": s, "title": s, "scenarios": [s], "metrics": SHOWN, "reference": methods[0], **basics}
        for s in SCENARIOS
    ]
    costs = {"id": "cost", "title": "cost", "scenarios": SCENARIOS, "metrics": ["wall_s", "carried_bytes"]}
    tables.append({**costs, "reference": None, **basics})
    return {
        "suite": "stub", "scenarios": SCENARIOS, "methods": methods, "seeds": list(range(seeds)), "tables": tables,
        "labels": basics["labels"], "confidence": 0.95, "n_resamples": 10_000,
    }  # fmt: skip


def _record(scenario: str, method: str, seed: int) -> dict[str, Any]:
    versions = dict.fromkeys(("torch", "numpy", "scipy", "pandas", "python"), "1.0")
    return {
        "scenario": scenario, "method": method, "seed": seed, "status": "ok", "reason": "",
        "code_fingerprint": method, "split_sha256": f"{scenario}-{seed}", "data_sha256": [scenario],
        "config": {
            "engine": {"device": "auto", "threads": 1},
            "method": {"id": method, "hyper": {}, "train": {"lr": 0.1}},
            "scenario": {"id": scenario, "datasets": ["digits"], "n_tasks": 5},
        },
        "git": {"commit": "0" * 40, "dirty": False}, "device": "cpu", "versions": versions,
        "wall_s": {"train": 10.0 + seed}, "carried_bytes": [100] * 5,
    }  # fmt: skip


def write_stubs(places: Places, declared: dict[str, Any]) -> None:
    """Metrics and records of every run."""
    rng = np.random.default_rng(0)
    for scenario in declared["scenarios"]:
        for method in declared["methods"]:
            runs = []
            for seed in declared["seeds"]:
                costs = {"wall_s": 10.0 + seed, "carried_bytes": 100.0, "parameters": 1000.0, "device_s": 9.0}
                values = dict(zip(METRICS, rng.uniform(0.1, 0.9, len(METRICS)).tolist(), strict=True))
                matrix = rng.uniform(size=(5, 5)).tolist()
                runs.append(
                    {
                        "seed": seed,
                        "status": "ok",
                        "reason": "",
                        "metrics": values,
                        "costs": costs,
                        "matrix": matrix,
                    }
                )
                path = places.run(scenario, method, seed) / "run.json"
                path.parent.mkdir(parents=True)
                path.write_text(json.dumps(_record(scenario, method, seed), indent=1))
            write_json(places.metrics(scenario, method), {"scenario": scenario, "method": method, "runs": runs})


def _steps(folder: Path, suite_file: Path) -> tuple[float, float]:
    """CPU and elapsed seconds of collecting, tables and report, each in a process of its own."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for step in ("collect", "tables", "report"):
        command = [sys.executable, "-m", "recollect", step, "--results", str(folder), "--suite", f"@{suite_file}"]
        subprocess.run(command, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start


def measure(seeds: int = SEEDS) -> dict[str, float]:
    """Runs, CPU and elapsed seconds, peak MiB, size of the page; the same after a change of one cell.

    Args:
        seeds: 8 make a thousand runs, 76 ten thousand, 758 a hundred thousand.
    """
    declared = suite(seeds)
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name) / "results", Path(name) / "suite.json"
        places = Places(folder)
        file.write_text(json.dumps(declared))
        write_stubs(places, declared)
        cpu, seconds = _steps(folder, file)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        tables = sorted(places.tables("stub").glob("*.csv"))
        before = {path: path.read_bytes() for path in tables}
        inodes = {path: path.stat().st_ino for path in tables}
        changed = places.metrics(declared["scenarios"][0], declared["methods"][0])
        document = read_json(changed, "")
        document["runs"][0]["metrics"]["avg_acc_unweighted"] = 0.123
        write_json(changed, document)
        again, _ = _steps(folder, file)
        return {
            "runs": len(declared["scenarios"]) * len(declared["methods"]) * len(declared["seeds"]),
            "tables": len(tables), "cpu_s": cpu, "seconds": seconds, "peak_mib": peak,
            "page_mb": (places.report("stub") / "index.html").stat().st_size / 1e6,
            "again_cpu_s": again, "differ": sum(path.read_bytes() != before[path] for path in tables),
            "rewritten": sum(path.stat().st_ino != inodes[path] for path in tables),
        }  # fmt: skip


if __name__ == "__main__":
    for number in sys.argv[1:] or [str(SEEDS)]:
        sys.stdout.write(json.dumps(measure(int(number))) + "\n")
        sys.stdout.flush()
