"""The one style of all figures: sizes, fonts, colours that stay apart for colour-blind readers.

Palette: Okabe & Ito, Color Universal Design (2008), black last. No pyplot and no global state: a
style holds only inside `style()`.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MM = 1 / 25.4
WIDTH_MM = 85.0

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C7A00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[tuple[int, tuple[float, ...]], ...] = ((0, ()), (0, (4, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)))
HEAT_MAP = "cividis"
GREY = "#6E6E6E"

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "recollect",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "path.simplify": False,
}


class Look(NamedTuple):
    """How one method is drawn: colour, marker and dash, distinct for the first 32 methods."""

    colour: str
    marker: str
    dash: tuple[int, tuple[float, ...]]


def looks(methods: Sequence[str]) -> Mapping[str, Look]:
    """One look per method, by its place in the declaration, so it is the same in every figure."""
    n = len(OKABE_ITO)
    return {
        method: Look(OKABE_ITO[i % n], MARKERS[(i + i // n) % n], DASHES[(i // n) % len(DASHES)])
        for i, method in enumerate(methods)
    }


def wrapped(label: str, width: int) -> str:
    """Break a long label into lines of about `width` characters."""
    return "\n".join(textwrap.wrap(label, width)) or label


@contextmanager
def style() -> Iterator[None]:
    """Apply the style inside a `with` block and put matplotlib back as it was."""
    import matplotlib

    with matplotlib.rc_context(RC):
        yield


def new_figure(height_mm: float, width_mm: float = WIDTH_MM) -> "Figure":
    """Return an empty figure of a size in millimetres that lays itself out."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02)
    return Figure(figsize=(width_mm * MM, height_mm * MM), layout=layout)
