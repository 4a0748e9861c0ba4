"""Which figures a suite has; read while planning, so nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recollect.figures.draw import figure_paths
from recollect.steps.suite_pairs import pairs
from recollect.steps.suite_pictures import DISTANCES, picture_paths

METRICS = ["avg_acc_unweighted", "forgetting_max"]


def generators(suite: dict[str, Any]) -> list[str]:
    """The methods that are judged by their images; suites without any do not mention them."""
    return suite.get("generators", [])


def figure_declarations(suite: dict[str, Any]) -> list[dict[str, Any]]:
    """What the accuracy figures of a suite show, one declaration per scenario with methods that answer."""
    found = []
    for scenario in suite["scenarios"]:
        methods = [m for s, m in pairs(suite) if s == scenario and m not in generators(suite)]
        if methods:
            found.append({
                "id": "overview", "title": suite["suite"], "scenarios": [scenario], "methods": methods,
                "metrics": METRICS, "reference": None, "note": "", "labels": suite["labels"],
            })  # fmt: skip
    return found


def generator_runs(suite: dict[str, Any]) -> list[tuple[str, str]]:
    """(scenario, method) of the methods that are judged by their images."""
    return [pair for pair in pairs(suite) if pair[1] in generators(suite)]


def figure_files(suite: dict[str, Any], folder: Path) -> list[Path]:
    """Accuracy figures of methods that answer, and distances to images of those that generate."""
    accuracy = [path for shown in figure_declarations(suite) for path in figure_paths(shown, folder)]
    return accuracy + [path for run in generator_runs(suite) for path in picture_paths(folder, DISTANCES, *run)]
