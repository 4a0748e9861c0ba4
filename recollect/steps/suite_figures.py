"""Which figures a suite has; read while planning, so nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recollect.figures.draw import figure_paths
from recollect.steps.suite_pictures import DISTANCES, picture_paths

METRICS = ["avg_acc_unweighted", "forgetting_max"]


def generators(suite: dict[str, Any]) -> list[str]:
    """The methods that are judged by their images; suites without any do not mention them."""
    return suite.get("generators", [])


def figure_declaration(suite: dict[str, Any]) -> dict[str, Any] | None:
    """What the accuracy figures of a suite show: all scenarios and methods that answer; None without any."""
    methods = [method for method in suite["methods"] if method not in generators(suite)]
    if not methods:
        return None
    return {
        "id": "overview", "title": suite["suite"], "scenarios": suite["scenarios"], "methods": methods,
        "metrics": METRICS, "reference": None, "note": "", "labels": suite["labels"],
    }  # fmt: skip


def figure_files(suite: dict[str, Any], folder: Path) -> list[Path]:
    """Accuracy figures of methods that answer, and distances to images of those that generate."""
    shown = figure_declaration(suite)
    accuracy = figure_paths(shown, folder) if shown else []
    runs = [(scenario, method) for scenario in suite["scenarios"] for method in generators(suite)]
    return accuracy + [path for run in runs for path in picture_paths(folder, DISTANCES, *run)]
