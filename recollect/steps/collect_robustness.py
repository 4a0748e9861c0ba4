"""The robustness part of collecting: metrics of stored models beside those of their runs, and their remarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recollect.errors import RecollectError
from recollect.files import read_json
from recollect.metrics.robustness import mean_corruption_error
from recollect.robustness.sets import CORRUPTIONS, KINDS, PERTURBATIONS
from recollect.steps.places import Places
from recollect.steps.suite_pairs import pairs

Key = tuple[str, str, int]
BOTH = ("overall_robustness",)
OF_SEQUENCES = ("perturbation_acc", "flip_rate")


def robustness_rows(suite: Mapping[str, Any], places: Places, partial: bool) -> dict[Key, dict[str, Any]]:
    """(scenario, method, seed) -> ``metrics`` and ``remarks`` of every model that was judged.

    Args:
        suite: resolved; without ``robustness`` there is nothing.
        places: the results folder.
        partial: take what is there; otherwise every file must exist.

    Raises:
        RecollectError: a file is missing, or two were made with different images.
    """
    asked = suite.get("robustness")
    if not asked:
        return {}
    rows: dict[Key, dict[str, Any]] = {}
    sources: dict[str, tuple[str, str]] = {}
    for scenario in suite["scenarios"]:
        judged = [m for m in asked["methods"] if (scenario, m) in pairs(suite)]
        found = {m: f for m in judged if (f := _read(places, scenario, m, partial))}
        for method, file in found.items():
            _same_images(sources, file, f"{scenario}/{method}")
        reference = asked.get("reference")
        errors = {
            run["seed"]: run["errors"] for run in found.get(reference, {}).get("runs", []) if "errors" in run
        }
        label = suite["labels"].get(reference, reference)
        for method, file in found.items():
            for run in file["runs"]:
                if "errors" in run:
                    rows[scenario, method, run["seed"]] = _row(run, file, errors.get(run["seed"]), label)
    return rows


def with_robustness(run: dict[str, Any], judged: dict[str, Any] | None) -> dict[str, Any]:
    """A run with the metrics of its stored model; as it is where there are none or it did not come out."""
    if judged is None or run["status"] != "ok":
        return run
    return {
        **run,
        "metrics": {**run["metrics"], **judged["metrics"]},
        "remarks": {**run.get("remarks", {}), **judged["remarks"]},
    }


def _read(places: Places, scenario: str, method: str, partial: bool) -> dict[str, Any] | None:
    path = places.robustness(scenario, method)
    if partial and not path.is_file():
        return None
    return read_json(path, "run the robustness step again")


def _same_images(sources: dict[str, tuple[str, str]], file: dict[str, Any], where: str) -> None:
    for kind in KINDS:
        sha256 = file["sources"][kind]["sha256"]
        known, first = sources.setdefault(kind, (sha256, where))
        if known != sha256:
            raise RecollectError(
                f"{where} and {first} were judged on different {kind}, their numbers cannot be compared: delete "
                "results/robustness of both and run again"
            )


def _row(
    run: dict[str, Any], file: dict[str, Any], reference: dict[str, Any] | None, label: str | None
) -> dict[str, Any]:
    metrics, name = dict(run["metrics"]), file["set"]
    normalised = "no reference model: the mean error, not normalised"
    if label is not None and reference is None:  # without its errors there is no mCE relative to it
        metrics.pop(f"mce@{name}")
    elif label is not None and reference is not None:
        metrics[f"mce@{name}"] = mean_corruption_error(run["errors"], reference)
        normalised = f"relative to {label} with the same seed"
    remarks = {kind: file["sources"][kind]["remark"] for kind in KINDS}
    return {
        "metrics": metrics,
        "remarks": {key: _remark(key.partition("@")[0], remarks, normalised) for key in metrics},
    }


def _remark(base: str, remarks: Mapping[str, str], normalised: str) -> str:
    kinds = KINDS if base in BOTH else (PERTURBATIONS,) if base in OF_SEQUENCES else (CORRUPTIONS,)
    parts = [remarks[kind] for kind in kinds if remarks[kind]] + ([normalised] if base == "mce" else [])
    return "; ".join(parts)
