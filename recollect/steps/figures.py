"""Figures: stored matrices and the table frame become pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from recollect.figures import draw_all
from recollect.files import read_json
from recollect.steps.places import Places
from recollect.steps.suite_figures import figure_declaration
from recollect.steps.tables import build, declaration, read_collected


def matrices(suite: dict[str, Any], places: Places) -> dict[str, dict[str, np.ndarray]]:
    """scenario -> method -> accuracy matrices of the finished seeds, (seeds, T, T), NaN where not evaluated."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for scenario in suite["scenarios"]:
        found[scenario] = {}
        for method in suite["methods"]:
            stored = read_json(places.metrics(scenario, method), "run the evaluate step again")
            kept = [
                run["matrix"]
                for run in stored["runs"]
                if run["status"] == "ok" and "matrix" in run and run["seed"] in suite["seeds"]
            ]
            if kept:
                found[scenario][method] = np.array(kept, dtype=float)
    return found


def make_figures(suite: dict[str, Any], places: Places) -> None:
    """Draw all figures of a suite."""
    shown = figure_declaration(suite)
    frame = build(suite, shown, read_collected(places.collected(suite["suite"])))
    draw_all(matrices(suite, places), frame, declaration(suite, shown), places.figures(suite["suite"]))
