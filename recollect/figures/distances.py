"""Distances of samples to images, of every task after every task: as maps, and as curves.

A curve that rises is a task that later ones spoil; the dotted one says how well tasks were learned at first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.heat_map import MOST_NUMBERED
from recollect.figures.numbered import add_key, numbered_looks
from recollect.figures.sheet import PAGE_MM
from recollect.figures.style import GREY, HEAT_MAP, new_figure
from recollect.stats.bootstrap import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_MM, TITLE_MM = 78.0, 4.0
BRIGHT_IS_GOOD = HEAT_MAP + "_r"


def distance_figure(distances: Mapping[str, FloatArray], title: str) -> Figure:
    """A row with map and curves for every distance, means over seeds.

    Args:
        distances: name to (seeds, T, T), row t column j: after training task t, samples of task j; NaN where not
            sampled.
        title: above all.
    """
    figure = new_figure(TITLE_MM + ROW_MM * len(distances), PAGE_MM)
    axes = figure.subplots(len(distances), 2, squeeze=False)
    for (left, right), (name, matrices) in zip(axes, distances.items(), strict=True):
        mean = matrices.mean(axis=0)
        _map(figure, left, mean, name)
        _curves(right, mean, name)
        add_key(figure, right, len(mean), "samples of task", 1)
    seeds = max(len(matrices) for matrices in distances.values())
    figure.suptitle(title + (f", mean of {seeds} seeds" if seeds > 1 else ""), fontsize=7)
    return figure


def _map(figure: Figure, panel: Any, mean: FloatArray, name: str) -> None:
    n_tasks = len(mean)
    top = float(np.nanmax(mean))
    image = panel.imshow(mean, cmap=BRIGHT_IS_GOOD, vmin=0, vmax=top, interpolation="nearest")
    if n_tasks <= MOST_NUMBERED:
        for t, j in zip(*np.nonzero(np.isfinite(mean)), strict=True):
            ink = "black" if mean[t, j] < 0.45 * top else "white"
            panel.text(j, t, _short(mean[t, j]), ha="center", va="center", fontsize=6, color=ink)
    places = _ticks(n_tasks)
    panel.set_xticks(places, [str(place + 1) for place in places])
    panel.set_yticks(places, [str(place + 1) for place in places])
    panel.set_title(f"{name}, lower is better", pad=3)
    panel.set_xlabel("samples of task")
    panel.set_ylabel("after training task")
    bar = figure.colorbar(image, ax=panel, aspect=30, fraction=0.05, pad=0.02)
    bar.outline.set_linewidth(0.4)


def _short(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ticks(n_tasks: int) -> list[int]:
    return list(range(0, n_tasks, max(1, math.ceil(n_tasks / 10))))


def _curves(panel: Any, mean: FloatArray, name: str) -> None:
    n_tasks = len(mean)
    after = np.arange(1, n_tasks + 1)
    for task, look in enumerate(numbered_looks(n_tasks)):
        panel.plot(
            after, mean[:, task], color=look.colour, marker=look.marker, linestyle=look.dash, markersize=2.5,
            label=f"task {task + 1}",
        )  # fmt: skip
    if np.isfinite(np.diag(mean)).sum() > 1:
        panel.plot(after, np.diag(mean), color=GREY, linestyle=(0, (1, 1.5)), linewidth=0.9, zorder=1)
        panel.set_title("dotted: every task when just learned", pad=3)
    panel.set_xticks([place + 1 for place in _ticks(n_tasks)])
    panel.set_xlim(0.7, n_tasks + 0.3)
    panel.margins(y=0.06)
    panel.set_ylim(0, None)
    panel.set_xlabel("tasks seen")
    panel.set_ylabel(name)
    panel.grid(axis="y", linewidth=0.3, color="#D0D0D0")
    panel.set_axisbelow(True)
