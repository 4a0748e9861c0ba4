"""What must be the same after kills as without: runs, weights, collected values, and every byte of every table.

Times and memory are measured, so they are exchanged before tables are compared: the expected tables are made anew
from the undisturbed values with the times of the disturbed runs, and must have the bytes of the disturbed tables.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake_start import environment
from workflow_checkout import up_to_date

from recollect.config.suite import Suite
from recollect.plan import Plan
from recollect.tables.metric_info import METRICS

MEASURED = frozenset(name for name, info in METRICS.items() if info.measured)
OF_A_RUN = ("stamp", "status", "predictions_sha256", "snapshots", "model_sha256", "iterations", "carried_bytes")


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def records(root: Path) -> dict[str, dict[str, Any]]:
    """Path below the results -> record of a run."""
    results = root / "results"
    found = sorted(results.glob("runs/*/*/*/run.json"))
    return {str(path.relative_to(results)): json.loads(path.read_text()) for path in found}


def made(root: Path) -> dict[str, str]:
    """What runs and pre-training left, by hash; two results of one code and one set of data agree in it."""
    runs = {
        path: json.dumps({key: record.get(key) for key in (*OF_A_RUN, "diagnoses")}, sort_keys=True)
        for path, record in records(root).items()
    }
    weights = sorted((root / "results").glob("*/*/weights.safetensors"))
    return {**runs, **{str(path.relative_to(root / "results")): sha256(path) for path in weights}}


def values(root: Path, suite: str) -> list[list[str]]:
    """Rows of the collected frame."""
    text = (root / "results/collected" / f"{suite}.csv").read_text()
    return list(csv.reader(io.StringIO(text)))


def without_times(rows: list[list[str]]) -> list[list[str]]:
    """The rows that no clock has a part in."""
    metric = rows[0].index("metric")
    return [row for row in rows if row[metric] not in MEASURED]


def with_times(rows: list[list[str]], times: list[list[str]]) -> list[list[str]]:
    """``rows``, where those of measured times and memory are taken from ``times``."""
    metric = rows[0].index("metric")
    return [
        b if a[metric] in MEASURED and b[:metric] == a[:metric] else a for a, b in zip(rows, times, strict=True)
    ]


def tables(folder: Path) -> dict[str, str]:
    """Name -> hash of all tables in all formats."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def tables_of(rows: list[list[str]], suite: dict[str, Any]) -> dict[str, str]:
    """The tables that the present code makes of collected rows."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        frame = results / "collected" / f"{suite['suite']}.csv"
        frame.parent.mkdir(parents=True)
        with frame.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        frame.with_name(f"{frame.name}.sha256").write_text(sha256(frame) + "\n")
        command = [sys.executable, "-m", "recollect", "tables", "--suite", json.dumps(suite)]
        subprocess.run([*command, "--results", str(results)], check=True, env=environment())
        return tables(results / "tables" / suite["suite"])


def differing(a: dict[str, str], b: dict[str, str]) -> list[str]:
    """Keys that only one has, or with another value."""
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def different(undisturbed: Path, disturbed: Path, suite: dict[str, Any]) -> tuple[int, list[str]]:
    """How many things were compared, and those that differ."""
    name = suite["suite"]
    expected, found = made(undisturbed), made(disturbed)
    wrong = differing(expected, found)
    quiet, wild = values(undisturbed, name), values(disturbed, name)
    if without_times(quiet) != without_times(wild):
        return len(expected), [*wrong, f"collected/{name}.csv"]
    should_be = tables_of(with_times(quiet, wild), suite)
    there = tables(disturbed / "results/tables" / name)
    wrong += [f"tables/{name}/{table}" for table in differing(should_be, there)]
    return len(expected) + 1 + len(should_be), wrong


def outdated(root: Path, suite: Suite, arguments: Sequence[str]) -> str:
    """Why the results below ``root`` are no measure for a suite; empty if they are complete and of this code."""
    plan, name = Plan(suite), suite.name
    try:
        rows, there = values(root, name), tables(root / "results/tables" / name)
    except OSError as error:
        return f"{error.filename} is missing"
    codes = {(r["scenario"], r["method"], r["seed"]): r["code_fingerprint"] for r in records(root).values()}
    for scenario, method in suite.pairs:
        spec = json.loads(plan.train_spec(SimpleNamespace(scenario=scenario, method=method)))
        for seed in suite.seeds:
            if codes.get((scenario, method, seed)) != spec["code"]:
                return f"the run of {method} on {scenario}, seed {seed}, is missing or of other code"
    if tables_of(rows, json.loads(plan.suite_argument)) != there:
        return "its tables are not those that this code makes of its values"
    return "" if up_to_date(root, *arguments) else "Snakemake would run some of its steps again"
