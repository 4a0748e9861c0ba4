"""Evaluate: stored predictions become matrices and metrics. No model, no device, no training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recollect.datasets import open_prepared
from recollect.files import read_json, sha256_file, write_json
from recollect.metrics.accuracy import MetricError, accuracy_matrix, all_variants
from recollect.scenarios.manifest import arrays_of, read_manifest, rows
from recollect.steps.places import Places

REDO = "delete the folder of this run and run again"
OPEN_PROTOCOLS = ("permuted-pixels", "rotated", "corpora", "data-incremental", "clustered-domains")
"""Protocols whose outputs are all open from the start, so that forward transfer is defined."""


def stream_labels(places: Places, manifest: dict[str, Any], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a stream, all tasks one after another, and the number of samples of each task."""
    source = f"{arrays_of(manifest, part)}_y"
    datasets = [(open_prepared(places.data(d["name"])), d["label_offset"]) for d in manifest["datasets"]]
    labels = np.concatenate([np.asarray(getattr(data, source)) + offset for data, offset in datasets])
    picked = [labels[rows(manifest, task, part)] for task in range(len(manifest["tasks"]))]
    return np.concatenate(picked), np.array([len(p) for p in picked])


def _predictions(folder: Path, record: dict[str, Any]) -> dict[str, np.ndarray]:
    path = folder / "predictions.npz"
    if not path.is_file() or sha256_file(path) != record["predictions_sha256"]:
        raise MetricError(f"{path} is missing or does not match its run.json: {REDO}")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def json_numbers(value: Any) -> Any:
    """A number, or nested lists of them, with None for NaN, as JSON has none."""
    if isinstance(value, np.ndarray | list):
        return [json_numbers(item) for item in value]
    return None if np.isnan(value) else float(value)


PHASES = {
    "local_s": ("encoder", "local"),
    "inversion_s": ("noise inversion",),
    "global_s": ("translator", "global"),
}
"""Cost metric -> the training phases whose seconds it adds up."""


def phase_costs(record: dict[str, Any]) -> dict[str, float]:
    """Seconds of the training phases of a run, where its method has them."""
    found = {}
    for metric, phases in PHASES.items():
        seconds = [record["wall_s"][key] for phase in phases if (key := f"train, {phase}") in record["wall_s"]]
        if seconds:
            found[metric] = sum(seconds)
    return found


def self_measured(record: dict[str, Any]) -> dict[str, float]:
    """What a method measured of itself on test samples, after the last task or as a mean over tasks."""
    told = [one for one in record.get("diagnoses", []) if one]
    found = {}
    if told and "silhouette" in told[-1]:
        found["silhouette"] = told[-1]["silhouette"]
    shares = [share for one in told for share in one.get("routing_agreement", [])]
    if shares:
        found["routing_agreement"] = sum(shares) / len(shares)
    history = record.get("notes", {}).get("experts", [])
    if history:
        found["parameters_added"] = sum(task["parameters_added"] for task in history) / len(history)
    return found


def costs(record: dict[str, Any]) -> dict[str, float]:
    """The cost metrics of a run."""
    device_s = record["device_s"].get("train")
    named = {
        **phase_costs(record),
        **self_measured(record),
        "device_h": None if device_s is None else device_s / 3600,
        "evaluate_s": record["wall_s"].get("evaluate"),
        "wall_s": record["wall_s"].get("train"),
        "device_s": device_s,
        "vram_mb": record["vram_mb"],
        "ram_mb": record["ram_mb"],
        "carried_bytes": max(record["carried_bytes"], default=None),
        "parameters": record["parameters"],
        "it_per_s": record["it_per_s"],
    }
    return {name: float(value) for name, value in named.items() if value is not None}


def evaluate_run(places: Places, scenario: str, method: str, seed: int) -> dict[str, Any]:
    """Matrix and metrics of one run.

    Raises:
        RecollectError: a file of the run is missing, damaged or belongs to another split.
    """
    folder = places.run(scenario, method, seed)
    record = read_json(folder / "run.json", REDO)
    split_file = places.split(scenario, seed)
    manifest = read_manifest(split_file)
    if record["split_sha256"] != manifest["sha256"]:
        raise MetricError(f"{folder} was trained on another split than {split_file}: {REDO}")
    result: dict[str, Any] = {"seed": seed, "status": record["status"], "reason": record["reason"]}
    result |= {"costs": costs(record), "metrics": {}, "validation": {}}
    predictions = _predictions(folder, record)
    for part, name in (("test", "metrics"), ("validation", "validation")):
        if part not in predictions:
            continue
        labels, sizes = stream_labels(places, manifest, part)
        if part == "validation" and not sizes.all():  # too few samples to hold any out of some task
            continue
        R, initial = accuracy_matrix(predictions[part], labels, sizes)
        if part == "test":
            result |= {"matrix": json_numbers(R), "initial": json_numbers(initial), "test_sizes": sizes.tolist()}
        if record["status"] == "ok":
            defined = manifest["protocol"] in OPEN_PROTOCOLS
            result[name] = all_variants(R, sizes, initial, forward_defined=defined)
    if manifest.get("skipped"):
        result["remarks"] = dict.fromkeys(result["metrics"], _skipped(manifest["skipped"]))
    return result


def _skipped(counts: dict[str, int]) -> str:
    """What must be said beside every value where samples were left out."""
    return f"without {counts['train']} training and {counts['test']} test samples that could not be decoded"


def evaluate(scenario: str, method: str, seeds: Sequence[int], places: Places) -> None:
    """Write the metrics file of a method on a scenario."""
    runs = [evaluate_run(places, scenario, method, seed) for seed in seeds]
    write_json(places.metrics(scenario, method), {"scenario": scenario, "method": method, "runs": runs})
