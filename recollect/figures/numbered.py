"""Looks and keys of things known by a number, tasks and classes: a legend for few, a colour bar for many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.figures.style import Look, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED = 10
MANY = "viridis"
SOLID: tuple[int, tuple[float, ...]] = (0, ())


def numbered_looks(n: int) -> list[Look]:
    """One look per number; of many the colours run through a scale."""
    if n <= MOST_NAMED:
        return [look._replace(dash=SOLID) for look in looks([str(i) for i in range(n)]).values()]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [Look(to_hex(colormaps[MANY](share)), "o", SOLID) for share in np.linspace(0, 1, n)]


def add_key(figure: Figure, panel: Any, n: int, word: str, first: int) -> None:
    """Say below a panel which look is which: ``word`` and numbers from ``first`` on."""
    if n <= MOST_NAMED:
        panel.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=min(n, 5), frameon=False, columnspacing=1.0,
            handletextpad=0.3,
        )  # fmt: skip
        return
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(first, first + n - 1), MANY)
    bar = figure.colorbar(scale, ax=panel, location="bottom", aspect=40, fraction=0.05, pad=0.02)
    bar.set_ticks(range(first, first + n, math.ceil(n / 10)))
    bar.set_label(word, labelpad=2)
    bar.outline.set_linewidth(0.4)
