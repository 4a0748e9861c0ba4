"""Collect: the metrics of all runs of a suite in one tidy frame; what is missing is a row that says so."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recollect.errors import RecollectError
from recollect.files import read_json, sha256_text, write_text
from recollect.steps.collect_robustness import robustness_rows, with_robustness
from recollect.steps.evaluate import evaluate_run
from recollect.steps.places import Places
from recollect.steps.suite_pairs import pairs

COLUMNS = ("scenario", "method", "seed", "metric", "value", "status", "reason")


def hash_file(collected: Path) -> Path:
    """The file beside a collected frame with its SHA-256."""
    return collected.with_name(f"{collected.name}.sha256")


def _rows(scenario: str, method: str, run: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    key = (scenario, method, run["seed"])
    if run["status"] != "ok":
        yield (*key, "", "", run["status"], run["reason"])
        return
    for name, value in sorted({**run["metrics"], **run["costs"]}.items()):
        yield (*key, name, repr(value), "ok", run.get("remarks", {}).get(name) or _remark(name, run))


def _remark(name: str, run: dict[str, Any]) -> str:
    """What must be said wherever a value is shown; empty for most."""
    made = run.get("generation", {})
    if not (made.get("rank_deficient") and name.startswith("fid")):
        return ""
    few, many = min(made["n_generated"]), max(made["n_generated"])
    images = f"{few}" if few == many else f"{few} to {many}"
    return (
        f"singular covariances, {images} samples per task for {made['feature_dim']} features: this FID depends on "
        "the number of samples and compares with FIDs of the same number only"
    )


def _metrics(places: Places, scenario: str, method: str, partial: bool) -> dict[int, dict[str, Any]]:
    path = places.metrics(scenario, method)
    if path.is_file() or not partial:
        redo = "run the evaluate step again"
        return {run["seed"]: run for run in read_json(path, redo)["runs"]}
    return {}


def _missing(places: Places, scenario: str, method: str, seed: int) -> dict[str, Any]:
    """A run without metrics: evaluated now if it has finished, else a row with the reason."""
    try:
        if (places.run(scenario, method, seed) / "run.json").is_file():
            return evaluate_run(places, scenario, method, seed)
    except RecollectError as error:
        return {"seed": seed, "status": "failed", "reason": str(error)}
    return {"seed": seed, "status": "not run", "reason": "no finished run"}


class _Extractors:
    """Which weights every extractor had; two under one name would put two metrics in one column."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[str, str]] = {}

    def note(self, run: dict[str, Any], where: str) -> None:
        """Raise RecollectError if a run was judged with other weights of an extractor than those before."""
        made = run.get("generation")
        if not made or "extractor" not in made:
            return
        known, first = self.seen.setdefault(made["extractor"], (made["extractor_sha256"], where))
        if known != made["extractor_sha256"]:
            raise RecollectError(
                f"{where} and {first} were judged with different weights of extractor {made['extractor']}, their "
                "numbers cannot be compared: delete results/metrics of both and run again"
            )


def collect(suite: dict[str, Any], places: Places, partial: bool = False) -> None:
    """Write the collected frame as CSV.

    Args:
        suite: name, scenarios, methods and seeds.
        places: the results folder.
        partial: take what is there; otherwise every metrics file must exist.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    extractors = _Extractors()
    judged = robustness_rows(suite, places, partial)
    for scenario, method in pairs(suite):
        runs = _metrics(places, scenario, method, partial)
        for seed in suite["seeds"]:
            run = runs.get(seed) or _missing(places, scenario, method, seed)
            extractors.note(run, f"{scenario}/{method} seed {seed}")
            run = with_robustness(run, judged.get((scenario, method, seed)))
            writer.writerows(_rows(scenario, method, run))
    target = places.collected(suite["suite"])
    # The hash first: killed in between, the frame is not complete for Snakemake either.
    write_text(hash_file(target), sha256_text(buffer.getvalue()) + "\n")
    write_text(target, buffer.getvalue())
