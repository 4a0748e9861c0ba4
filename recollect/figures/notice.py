"""What stands in place of a picture that could not be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recollect.figures.style import GREY, WIDTH_MM, new_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 30.0


def notice(title: str, words: str) -> Figure:
    """A figure that says why there is no picture."""
    figure = new_figure(HEIGHT_MM, WIDTH_MM)
    panel = figure.add_subplot()
    panel.set_axis_off()
    panel.set_title(title, pad=3)
    panel.text(0.5, 0.5, wrapped(words, 55), ha="center", va="center", color=GREY, style="italic")
    return figure
