"""Average accuracy over the tasks seen so far, with a bootstrap band per method."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.matrices import Curve
from recollect.figures.style import Look, looks, new_figure
from recollect.tables.declaration import TableSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Longest legend entry, in characters, that still fits so many columns into the width.
LEGEND_COLUMNS = ((20, 3), (34, 2))


def curves(found: Mapping[str, Curve], missing: Mapping[str, str], spec: TableSpec) -> "Figure":
    """Draw one line per method; a method without a curve says why in the legend.

    Args:
        found: mean and interval over seeds per method, fractions, shape (tasks,).
        missing: status words of the methods without a curve.
        spec: the table, for order, labels and colours.
    """
    entries = {m: spec.label(m) + (f": {missing[m]}" if m in missing else "") for m in spec.methods}
    columns = _legend_columns(max(map(len, entries.values())))
    figure = new_figure(56 + 4 * math.ceil(len(spec.methods) / columns))
    panel = figure.add_subplot()
    for method, look in looks(spec.methods).items():
        if method in found:
            _line(panel, found[method], look, entries[method])
        else:
            panel.plot([], [], linestyle="none", label=entries[method])
    n_tasks = max((len(curve.mean) for curve in found.values()), default=1)
    step = max(1, math.ceil(n_tasks / 10))
    panel.set_xticks(range(1, n_tasks + 1, step))
    panel.set_xlim(0.8, n_tasks + 0.2)
    panel.set_ylim(0, 102)
    panel.set_xlabel("tasks seen")
    panel.set_ylabel("average accuracy (%)")
    panel.grid(axis="y", linewidth=0.3, color="#D0D0D0")
    panel.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, columnspacing=1.2)
    return figure


def _legend_columns(longest: int) -> int:
    return next((columns for characters, columns in LEGEND_COLUMNS if longest <= characters), 1)


def _line(panel: Any, curve: Curve, look: Look, label: str) -> None:
    tasks = np.arange(1, len(curve.mean) + 1)
    band = np.isfinite(curve.low)
    panel.fill_between(
        tasks[band], 100 * curve.low[band], 100 * curve.high[band], color=look.colour, alpha=0.18, linewidth=0
    )
    panel.plot(tasks, 100 * curve.mean, color=look.colour, marker=look.marker, linestyle=look.dash, label=label)
