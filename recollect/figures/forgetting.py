"""How much of every task was forgotten at the end: bars with intervals, one panel per method."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.matrices import Curve
from recollect.figures.style import GREY, OKABE_ITO, new_figure, wrapped
from recollect.tables.declaration import TableSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
TITLE_CHARACTERS = 19
MOST_TICKS = 5
UNDEFINED = "not defined"
"""Of a method that was not judged after every task, as joint training, or of a single task."""


def forgetting_bars(lost: Mapping[str, Curve], missing: Mapping[str, str], spec: TableSpec) -> "Figure":
    """Draw one panel per method; one without values says why.

    Args:
        lost: mean and interval over seeds of what was forgotten of tasks 1..T-1 per method, fractions,
            shape (T - 1,).
        missing: status words of the methods without a matrix.
        spec: the table, for order and labels.
    """
    columns = min(COLUMNS, len(spec.methods))
    rows = math.ceil(len(spec.methods) / columns)
    figure = new_figure(9 + 21 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    highest = 5.0
    for place, panel in enumerate(axes.flat):
        if place >= len(spec.methods):
            panel.set_axis_off()
            continue
        method = spec.methods[place]
        panel.set_title(wrapped(spec.label(method), TITLE_CHARACTERS), pad=3)
        if method in lost and len(lost[method].mean) and np.isfinite(lost[method].mean).all():
            highest = max(highest, _bars(panel, lost[method]))
        else:
            words = missing.get(method, UNDEFINED)
            panel.text(
                0.5, 0.5, words, transform=panel.transAxes, ha="center", va="center", color=GREY, style="italic"
            )
            panel.set_xticks([])
    axes[0, 0].set_ylim(0, min(102.0, 1.08 * highest))
    figure.supxlabel("task", fontsize=7)
    figure.supylabel("forgotten at the end (points)", fontsize=7)
    return figure


def _bars(panel: Any, lost: Curve) -> float:
    """Bars of one method; returns the highest point drawn, in points."""
    mean, low, high = 100 * lost.mean, 100 * lost.low, 100 * lost.high
    tasks = np.arange(1, len(mean) + 1)
    panel.bar(tasks, mean, width=0.75, color=OKABE_ITO[5], edgecolor=OKABE_ITO[0], linewidth=0.5)
    band = np.isfinite(low)
    panel.vlines(tasks[band], low[band], high[band], color="black", linewidth=0.9)
    panel.set_xticks(tasks[:: math.ceil(len(tasks) / MOST_TICKS)])
    panel.set_xlim(0.4, len(tasks) + 0.6)
    panel.grid(axis="y", linewidth=0.3, color="#D0D0D0")
    panel.set_axisbelow(True)
    return float(np.nanmax(np.where(band, high, mean)))
