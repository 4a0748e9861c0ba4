"""Clusters of the modalities: where unimodal and joint representations lie in their principal plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recollect.figures.style import looks, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE_MM = 85.0


def modalities_figure(
    points: Mapping[str, Sequence[Sequence[float]]], silhouette: float | None, title: str
) -> Figure:
    """One cloud per space.

    Args:
        points: by space, (n, 2) in the common principal plane.
        silhouette: of the modalities as clusters, in all dimensions; None where it is not defined.
        title: above.
    """
    figure = new_figure(SIDE_MM + 8, SIDE_MM)
    panel = figure.subplots()
    for name, look in looks(list(points)).items():
        cloud = np.array(points[name], dtype=float)
        panel.plot(
            cloud[:, 0], cloud[:, 1], linestyle="none", marker=look.marker, color=look.colour, markersize=2.5,
            markeredgewidth=0, alpha=0.7, label=name,
        )  # fmt: skip
    said = "" if silhouette is None else f"\nsilhouette of the modalities {silhouette:.2f}"
    panel.set_title(title + said)
    panel.set_xlabel("component 1")
    panel.set_ylabel("component 2")
    panel.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=len(points))
    return figure
