"""Figures: stored matrices and the table frame become pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures import draw_all
from recollect.figures.distances import distance_figure
from recollect.figures.draw import render
from recollect.figures.notice import notice
from recollect.figures.style import style
from recollect.files import read_json, write_bytes
from recollect.steps.places import Places
from recollect.steps.suite_figures import figure_declaration, generators
from recollect.steps.suite_pictures import DISTANCES, picture_paths
from recollect.steps.tables import build, declaration, read_collected
from recollect.tables.metric_info import SAMPLE_METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _runs(suite: dict[str, Any], places: Places, scenario: str, method: str) -> list[dict[str, Any]]:
    stored = read_json(places.metrics(scenario, method), "run the evaluate step again")
    return [run for run in stored["runs"] if run["seed"] in suite["seeds"]]


def matrices(suite: dict[str, Any], places: Places, methods: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """scenario -> method -> accuracy matrices of the finished seeds, (seeds, T, T), NaN where not evaluated."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for scenario in suite["scenarios"]:
        found[scenario] = {}
        for method in methods:
            runs = _runs(suite, places, scenario, method)
            kept = [run["matrix"] for run in runs if run["status"] == "ok" and "matrix" in run]
            if kept:
                found[scenario][method] = np.array(kept, dtype=float)
    return found


def _distances(runs: list[dict[str, Any]], title: str) -> Figure:
    """Distances of the samples of finished seeds, or why there are none."""
    made = [run["generation"] for run in runs if run["status"] == "ok"]
    found = {
        f"{info.label} on {made[0]['extractor']}": np.array([one[name] for one in made], dtype=float)
        for name, info in SAMPLE_METRICS.items()
        if made and name in made[0]
    }
    shown = {label: matrices for label, matrices in found.items() if np.isfinite(matrices).any()}
    if shown:
        return distance_figure(shown, title)
    failed = next((f"{run['status']}: {run['reason']}" for run in runs if run["status"] != "ok"), "not measured")
    return notice(title, failed)


def make_figures(suite: dict[str, Any], places: Places) -> None:
    """Draw all figures of a suite."""
    folder = places.figures(suite["suite"])
    shown = figure_declaration(suite)
    if shown:
        frame = build(suite, shown, read_collected(places.collected(suite["suite"])))
        draw_all(matrices(suite, places, shown["methods"]), frame, declaration(suite, shown), folder)
    for scenario in suite["scenarios"]:
        for method in generators(suite):
            title = f"{suite['labels'][method]}, {scenario}"
            with style():
                figure = _distances(_runs(suite, places, scenario, method), title)
                for path in picture_paths(folder, DISTANCES, scenario, method):
                    write_bytes(path, render(figure, path.suffix[1:]))
