"""Accuracy after every task on every task, R[t, i], mean over seeds, one panel per method."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.matrices import mean_matrix
from recollect.figures.style import GREY, HEAT_MAP, new_figure, wrapped
from recollect.stats.bootstrap import FloatArray
from recollect.tables.declaration import TableSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
TITLE_CHARACTERS = 19
MOST_NUMBERED = 5  # more tasks than this leave no room for numbers in the cells


def heat_map(matrices: Mapping[str, FloatArray], missing: Mapping[str, str], spec: TableSpec) -> "Figure":
    """Draw one panel per method; a method without a matrix says why in its panel.

    Args:
        matrices: shape (seeds, tasks, tasks) per method, fractions; NaN allowed.
        missing: status words of the methods without a matrix.
        spec: the table, for order and labels.
    """
    columns = min(COLUMNS, len(spec.methods))
    rows = math.ceil(len(spec.methods) / columns)
    figure = new_figure(9 + 29 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    n_tasks = max((matrix.shape[1] for matrix in matrices.values()), default=1)
    image = None
    for place, panel in enumerate(axes.flat):
        if place >= len(spec.methods):
            panel.set_axis_off()
            continue
        method = spec.methods[place]
        panel.set_title(wrapped(spec.label(method), TITLE_CHARACTERS), pad=3)
        if method in matrices:
            image = _panel(panel, mean_matrix(matrices[method]))
        else:
            _empty(panel, missing[method], n_tasks)
        _ticks(panel, n_tasks, left=place % columns == 0, below=len(spec.methods) - 1 - place, columns=columns)
    figure.supxlabel("accuracy on task", fontsize=7)
    figure.supylabel("after training task", fontsize=7)
    if image is not None:
        _colour_bar(figure, image, axes)
    return figure


def _panel(panel: Any, mean: FloatArray) -> Any:
    percent = 100 * mean
    n_tasks = len(percent)
    image = panel.imshow(percent, cmap=HEAT_MAP, vmin=0, vmax=100, interpolation="nearest")
    if n_tasks <= MOST_NUMBERED:
        for t, i in zip(*np.nonzero(np.isfinite(percent)), strict=True):
            ink = "black" if percent[t, i] > 55 else "white"
            panel.text(i, t, f"{percent[t, i]:.0f}", ha="center", va="center", fontsize=5.5, color=ink)
    return image


def _empty(panel: Any, words: str, n_tasks: int) -> None:
    panel.set_xlim(-0.5, n_tasks - 0.5)
    panel.set_ylim(n_tasks - 0.5, -0.5)
    panel.set_aspect("equal")
    middle = (n_tasks - 1) / 2
    panel.text(middle, middle, words, ha="center", va="center", color=GREY, style="italic")


def _ticks(panel: Any, n_tasks: int, *, left: bool, below: int, columns: int) -> None:
    """Number the tasks at the outer panels only; `below` is how many panels follow this one."""
    step = 1 if n_tasks <= MOST_NUMBERED else math.ceil(n_tasks / 5)
    places = list(range(0, n_tasks, step))
    labels = [str(place + 1) for place in places]
    panel.set_xticks(places, labels if below < columns else [])
    panel.set_yticks(places, labels if left else [])
    if 0 < below < columns:
        # Some of these stand above an empty place: their numbers must not push the last row down.
        for number in panel.get_xticklabels():
            number.set_in_layout(False)


def _colour_bar(figure: "Figure", image: Any, axes: Any) -> None:
    bar = figure.colorbar(image, ax=axes, location="top", aspect=40, fraction=0.03, pad=0.02)
    bar.set_label("accuracy (%)", labelpad=2)
    bar.outline.set_linewidth(0.4)
