"""Result against compute and against memory, and the critical-difference diagram of mean ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.style import GREY, looks, new_figure
from recollect.stats.ranks import cliques
from recollect.tables.metric_info import metric_info

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recollect.report.statistics import CostRow, RankTable

LEGEND_COLUMNS = 3


def trade_offs(rows: Sequence[CostRow], labels: dict[str, str]) -> Figure:
    """One point per method in two panels; the line joins those that no other method beats in both.

    Args:
        rows: of one scenario and metric.
        labels: method -> name in the legend.
    """
    info = metric_info(rows[0].metric)
    columns = LEGEND_COLUMNS if max(len(labels.get(row.method, row.method)) for row in rows) <= 20 else 2
    figure = new_figure(50 + 4 * math.ceil(len(rows) / columns))
    panels = figure.subplots(1, 2, sharey=True)
    look = looks([row.method for row in rows])
    for panel, field, front, name in (
        (panels[0], "compute", "on_compute_front", "training time (s)"),
        (panels[1], "memory", "on_memory_front", "carried between tasks (MB)"),
    ):
        scale = 1e-6 if field == "memory" else 1.0
        points = [(scale * getattr(row, field), info.scale * row.result, row) for row in rows]
        _front(panel, sorted((x, y) for x, y, row in points if getattr(row, front)))
        for x, y, row in points:
            own = look[row.method]
            panel.plot([x], [y], own.marker, color=own.colour, markersize=4, linestyle="none")
        finite = [x for x, _, _ in points if math.isfinite(x) and x > 0]
        if finite and max(finite) > 20 * min(finite):
            panel.set_xscale("symlog", linthresh=min(finite))
        panel.set_xlabel(name)
        panel.grid(linewidth=0.3, color="#D0D0D0")
        panel.set_axisbelow(True)
        panel.margins(0.08)
    panels[0].set_ylabel(info.heading)
    handles = [
        panels[0].plot([], [], look[row.method].marker, color=look[row.method].colour, markersize=4)[0]
        for row in rows
    ]
    names = [labels.get(row.method, row.method) for row in rows]
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False, columnspacing=1.2)
    return figure


def _front(panel: Any, points: Sequence[tuple[float, float]]) -> None:
    if len(points) > 1:
        panel.plot(*zip(*points, strict=True), color=GREY, linewidth=0.7, linestyle=(0, (3, 2)), zorder=0)


def critical_differences(table: RankTable, labels: dict[str, str]) -> Figure:
    """Methods on a line of mean ranks; bars join those whose ranks differ by less than the critical difference."""
    n = len(table.methods)
    figure = new_figure(22 + 4.5 * n)
    panel = figure.add_subplot()
    for place, (method, rank) in enumerate(zip(table.methods, table.mean, strict=True)):
        panel.plot([rank, rank], [0, place + 1], color=GREY, linewidth=0.5)
        panel.plot([rank], [place + 1], "o", color="black", markersize=3)
        panel.annotate(
            f"{labels.get(method, method)}  {rank:.2f}", (rank, place + 1), xytext=(4, 0),
            textcoords="offset points", va="center",
        )  # fmt: skip
    for level, (first, last) in enumerate(cliques(np.array(table.mean), table.critical_difference)):
        y = -0.5 - 0.45 * level
        panel.plot(
            [table.mean[first], table.mean[last]], [y, y], color="black", linewidth=2, solid_capstyle="butt"
        )
    panel.set_xlim(0.8, n + 0.2)
    panel.margins(y=0.06)
    panel.invert_yaxis()
    panel.xaxis.tick_top()
    panel.xaxis.set_label_position("top")
    panel.set_xlabel(
        f"mean rank over N = {table.n} scenarios (1 is best); critical difference {table.critical_difference:.2f}"
    )
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.spines["top"].set_visible(True)
    panel.set_yticks([])
    return figure
