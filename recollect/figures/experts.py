"""Which experts of every block the tasks have used, and how far routing of old samples stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.style import GREY, HEAT_MAP, looks, new_figure
from recollect.stats.bootstrap import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE_MM = 170.0
MOST_IN_A_ROW = 4
ROW_MM, CURVE_MM = 38.0, 42.0


def usage_by_block(history: Sequence[dict[str, Any]]) -> list[FloatArray]:
    """Mean weights (tasks, experts) of every block; NaN where an expert was not there yet."""
    blocks = range(len(history[0]["usage"]))
    widths = [max(len(task["usage"][block]) for task in history) for block in blocks]
    made = [np.full((len(history), width), np.nan) for width in widths]
    for t, task in enumerate(history):
        for block in blocks:
            made[block][t, : len(task["usage"][block])] = task["usage"][block]
    return made


def experts_figure(history: Sequence[dict[str, Any]], agreement: Sequence[Sequence[float]], title: str) -> Figure:
    """Heat maps, one per block, over a curve per block.

    Args:
        history: by task, ``usage`` by block and expert.
        agreement: by task from the second on, the share of samples that kept their experts, by block.
        title: above all.
    """
    usage = usage_by_block(history)
    columns = min(MOST_IN_A_ROW, len(usage))
    rows = -(-len(usage) // columns)
    figure = new_figure(ROW_MM * rows + CURVE_MM, PAGE_MM)
    parts: Any = figure.subfigures(2, 1, height_ratios=[ROW_MM * rows, CURVE_MM])
    upper, lower = parts
    panels = upper.subplots(rows, columns, squeeze=False)
    image = None
    for place, panel in enumerate(panels.flat):
        if place >= len(usage):
            panel.set_axis_off()
            continue
        image = panel.imshow(usage[place], cmap=HEAT_MAP, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        panel.set_title(f"block {place + 1}", pad=3)
        panel.set_xticks(range(usage[place].shape[1]), [str(e + 1) for e in range(usage[place].shape[1])])
        panel.set_yticks(range(len(history)), [str(t + 1) for t in range(len(history))])
        panel.set_facecolor("white")
    panels[0, 0].set_ylabel("task")
    upper.supxlabel("expert (white: not there yet)", fontsize=7)
    bar = upper.colorbar(image, ax=panels, aspect=25, fraction=0.03, pad=0.02)
    bar.set_label("mean gate weight", labelpad=2)
    bar.outline.set_linewidth(0.4)
    _agreement(lower.subplots(), agreement, len(history))
    figure.suptitle(title, fontsize=7)
    return figure


def _agreement(panel: Any, agreement: Sequence[Sequence[float]], n_tasks: int) -> None:
    panel.set_xlim(1.5, max(n_tasks, 2) + 0.5)
    panel.set_ylim(-3, 103)
    panel.set_xlabel("after training task")
    panel.set_ylabel("same experts as before (%)")
    panel.set_xticks(range(2, n_tasks + 1))
    panel.grid(linewidth=0.3, color="#D0D0D0")
    if not agreement:
        panel.text(0.5, 0.5, "no earlier task to compare with", transform=panel.transAxes, ha="center", color=GREY)
        return
    shares = 100 * np.array(agreement, dtype=float)
    names = [f"block {block + 1}" for block in range(shares.shape[1])]
    for name, look, curve in zip(names, looks(names).values(), shares.T, strict=True):
        panel.plot(
            range(2, 2 + len(curve)), curve, color=look.colour, marker=look.marker, linestyle=look.dash, label=name
        )
    panel.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
