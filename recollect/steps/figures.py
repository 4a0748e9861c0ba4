"""Figures: stored matrices and the table frame become pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures import draw_all, figure_paths
from recollect.figures.distances import distance_figure
from recollect.figures.draw import render
from recollect.figures.notice import notice
from recollect.figures.style import style
from recollect.files import read_json, sha256_text, write_bytes
from recollect.provenance.fingerprint import step_fingerprint
from recollect.steps.places import Places
from recollect.steps.suite_figures import figure_declarations, generator_runs
from recollect.steps.suite_pictures import DISTANCES, picture_paths
from recollect.steps.tables import build, declaration, read_collected
from recollect.steps.unchanged import Stamps
from recollect.tables.metric_info import SAMPLE_METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _runs(suite: dict[str, Any], places: Places, scenario: str, method: str) -> list[dict[str, Any]]:
    stored = read_json(places.metrics(scenario, method), "run the evaluate step again")
    return [run for run in stored["runs"] if run["seed"] in suite["seeds"]]


def matrices(
    suite: dict[str, Any], places: Places, scenario: str, methods: Sequence[str]
) -> dict[str, np.ndarray]:
    """method -> accuracy matrices of its finished seeds, (seeds, T, T), NaN where not evaluated."""
    found = {}
    for method in methods:
        runs = _runs(suite, places, scenario, method)
        kept = [run["matrix"] for run in runs if run["status"] == "ok" and "matrix" in run]
        if kept:
            found[method] = np.array(kept, dtype=float)
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
    """Draw all figures of a suite; those that show nothing new keep their files."""
    folder = places.figures(suite["suite"])
    stamps, code = Stamps(folder / ".made_from.json"), step_fingerprint("recollect.steps.figures")
    for shown in figure_declarations(suite):
        (scenario,), declared = shown["scenarios"], declaration(suite, shown)
        frame = build(suite, shown, read_collected(places.collected(suite["suite"])))
        found = matrices(suite, places, scenario, shown["methods"])
        numbers = {method: array.tolist() for method, array in found.items()}
        digest = sha256_text("\n".join((code, repr(declared), frame.to_csv(index=False), repr(numbers))))
        if not stamps.unchanged(f"{scenario} accuracy", digest, figure_paths(declared, folder)):
            draw_all(found, frame, declared, folder)
    for scenario, method in generator_runs(suite):
        runs = _runs(suite, places, scenario, method)
        title = f"{suite['labels'][method]}, {scenario}"
        made = [(run["status"], run.get("reason"), run.get("generation")) for run in runs]
        paths = picture_paths(folder, DISTANCES, scenario, method)
        if stamps.unchanged(f"{scenario} {method}", sha256_text(f"{code} {title} {made!r}"), paths):
            continue
        with style():
            figure = _distances(runs, title)
            for path in paths:
                write_bytes(path, render(figure, path.suffix[1:]))
    stamps.save()
