"""The latent space that all tasks share: its two main directions, points coloured by task and by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recollect.figures.numbered import add_key, numbered_looks
from recollect.figures.sheet import CAPTION_CHARACTERS_PER_MM, PAGE_MM
from recollect.figures.style import GREY, new_figure, wrapped
from recollect.stats.bootstrap import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_MM = 90.0


class Plane(NamedTuple):
    """Points (n, 2) along the two main directions, and the shares (2,) of the variance that these explain."""

    points: FloatArray
    shares: FloatArray


def principal_plane(z: FloatArray) -> Plane:
    """Principal components of z (n, D); their signs are such that the largest loading is positive."""
    centred = np.asarray(z, dtype=np.float64) - z.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    shares = np.square(sizes) / max(np.square(sizes).sum(), np.finfo(float).tiny)
    points = centred @ directions[:2].T
    missing = 2 - points.shape[1]  # one sample or one dimension has no second direction
    return Plane(np.pad(points, ((0, 0), (0, missing))), np.pad(shares[:2], (0, missing)))


def latent_space(z: FloatArray, tasks: FloatArray, classes: FloatArray, title: str, caption: str) -> Figure:
    """Two panels of the same points.

    Args:
        z: (n, D), in the shared space.
        tasks, classes: (n,), numbers from 0.
        title, caption: above and below the panels.
    """
    plane = principal_plane(z)
    words = wrapped(caption, int(PAGE_MM * CAPTION_CHARACTERS_PER_MM))
    figure = new_figure(HEIGHT_MM, PAGE_MM)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, numbers, word, first in ((panels[0], tasks, "task", 1), (panels[1], classes, "class", 0)):
        _points(panel, plane.points, numbers, word, first)
        add_key(figure, panel, int(numbers.max()) + 1, word, first)
        panel.set_title(f"by {word}", pad=3)
        panel.set_xlabel(f"component 1 ({100 * plane.shares[0]:.0f} % of the variance)")
    panels[0].set_ylabel(f"component 2 ({100 * plane.shares[1]:.0f} %)")
    figure.suptitle(title, fontsize=7)
    figure.supxlabel(words, fontsize=6.5, color=GREY)
    return figure


def _points(panel: Any, points: FloatArray, numbers: FloatArray, word: str, first: int) -> None:
    known = numbered_looks(int(numbers.max()) + 1)
    for number in np.unique(numbers).astype(int):
        mine, look = points[numbers == number], known[number]
        panel.plot(
            mine[:, 0], mine[:, 1], linestyle="none", marker=look.marker, color=look.colour, markersize=2,
            markeredgewidth=0, alpha=0.65, label=f"{word} {number + first}",
        )  # fmt: skip
