"""Final values: mean, interval and every seed, one row per method, one panel per metric."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.style import GREY, Look, looks, new_figure, wrapped
from recollect.tables.cell_text import Row
from recollect.tables.declaration import TableSpec
from recollect.tables.metric_info import metric_info

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL_CHARACTERS = 20
SEED_OFFSET = 0.32  # seeds lie this far (in rows) below the mean, so neither hides the other


def shown_metrics(metrics: Sequence[str]) -> list[str]:
    """Pick the first accuracy and the first forgetting of a table, else its first two metrics."""
    firsts = [
        next((name for name in metrics if name.startswith(start)), None) for start in ("avg_acc", "forgetting")
    ]
    return [name for name in firsts if name is not None] or list(metrics[:2])


def dots(records: Sequence[Row], spec: TableSpec) -> "Figure":
    """Draw the rows of one scenario; a cell without value says its status instead.

    Args:
        records: rows of the tidy table frame for one scenario.
        spec: the table, for order, labels and colours.
    """
    metrics = shown_metrics(spec.metrics)
    cells = {(row["method"], row["metric"]): row for row in records}
    labels = [wrapped(spec.label(method), LABEL_CHARACTERS) for method in spec.methods]
    lines = 1 + max(label.count("\n") for label in labels)
    figure = new_figure(14 + max(5.2, 2.8 * lines) * len(labels))
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for panel, metric in zip(axes, metrics, strict=True):
        for place, (method, look) in enumerate(looks(spec.methods).items()):
            _row(panel, cells[method, metric], place, look)
        panel.set_xlabel(metric_info(metric).heading)
        panel.grid(axis="x", linewidth=0.3, color="#D0D0D0")
        panel.set_axisbelow(True)
        panel.margins(x=0.08)
    axes[0].set_ylim(len(spec.methods) - 0.4, -0.6)
    axes[0].set_yticks(range(len(labels)), labels)
    return figure


def _row(panel: Any, row: Row, place: int, look: Look) -> None:
    scale = metric_info(row["metric"]).scale
    if row["n_seeds"] == 0:
        panel.text(
            0.5, place, row["status"], transform=panel.get_yaxis_transform(), ha="center", va="center",
            color=GREY, style="italic",
        )  # fmt: skip
        return
    seeds = scale * np.array(row["values"])
    panel.plot(
        seeds, np.full(len(seeds), place + SEED_OFFSET), linestyle="none", marker="o", markersize=2,
        markerfacecolor="none", markeredgecolor=look.colour, markeredgewidth=0.5,
    )  # fmt: skip
    if row["n_seeds"] > 1:
        ends = [scale * row["ci_low"], scale * row["ci_high"]]
        panel.plot(ends, [place, place], color=look.colour, alpha=0.45, linewidth=3, solid_capstyle="butt")
    panel.plot([scale * row["mean"]], [place], marker="|", markersize=5, markeredgewidth=1.2, color=look.colour)
