"""Which figures a suite has; read while planning, so nothing heavy is imported."""

from __future__ import annotations

from typing import Any

METRICS = ["avg_acc_unweighted", "forgetting_max"]


def figure_declaration(suite: dict[str, Any]) -> dict[str, Any]:
    """What the figures of a suite show: all scenarios and methods, accuracy and forgetting."""
    return {
        "id": "overview", "title": suite["suite"], "scenarios": suite["scenarios"], "methods": suite["methods"],
        "metrics": METRICS, "reference": None, "note": "", "labels": suite["labels"],
    }  # fmt: skip
