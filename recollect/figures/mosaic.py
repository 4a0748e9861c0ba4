"""Many images as one array: cells in rows and columns, white between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recollect.errors import RecollectError
from recollect.stats.bootstrap import FloatArray

if TYPE_CHECKING:
    from matplotlib.image import AxesImage

UNIT = (0.0, 1.0)
GREYS, COLOURS = "gray", "viridis"
"""Of pixels that are fractions, and of measured numbers, which get a colour bar."""

Cell = FloatArray | None
"""Images (n, C, H, W) of one cell, or nothing."""


class Mosaic(NamedTuple):
    """Pixels (height, width, C), NaN between images, and the centres of rows and columns of cells in pixels."""

    pixels: FloatArray
    rows: list[float]
    columns: list[float]


def mosaic(cells: Sequence[Sequence[Cell]], across: int) -> Mosaic:
    """Lay out rows of cells; the images of a cell stand ``across`` in a line.

    Raises:
        RecollectError: no cell has an image, or they differ in shape.
    """
    filled = [cell for row in cells for cell in row if cell is not None]
    shapes = {cell.shape[1:] for cell in filled}
    if len(shapes) != 1:
        raise RecollectError(f"a sheet needs images of one shape, got {sorted(shapes) or 'none'}")
    channels, height, width = shapes.pop()
    thin = max(1, height // 14)
    lines = [max((-(-len(cell) // across) for cell in row if cell is not None), default=1) for row in cells]
    rows = _spans([n * (height + thin) - thin for n in lines], 3 * thin)
    columns = _spans([across * (width + thin) - thin] * len(cells[0]), 3 * thin)
    pixels = np.full((rows[-1][1], columns[-1][1], channels), np.nan)
    for (top, _), row in zip(rows, cells, strict=True):
        for (left, _), cell in zip(columns, row, strict=True):
            for i, image in enumerate([] if cell is None else cell):
                y, x = top + i // across * (height + thin), left + i % across * (width + thin)
                pixels[y : y + height, x : x + width] = image.transpose(1, 2, 0)
    return Mosaic(pixels, _centres(rows), _centres(columns))


def _spans(sizes: list[int], gap: int) -> list[tuple[int, int]]:
    """Start and end of things of these sizes that stand ``gap`` apart."""
    ends = np.cumsum([size + gap for size in sizes]) - gap
    return [(int(end) - size, int(end)) for size, end in zip(sizes, ends, strict=True)]


def _centres(spans: list[tuple[int, int]]) -> list[float]:
    # The middle of pixel 0 is at 0, so a span starts half a pixel before its first number.
    return [(start + end - 1) / 2 for start, end in spans]


def is_measured(made: Mosaic, value_range: tuple[float, float]) -> bool:
    """Whether pixels are measured numbers of one channel rather than shares of white or of colours."""
    return made.pixels.shape[2] == 1 and value_range != UNIT


def show(panel: Any, made: Mosaic, value_range: tuple[float, float]) -> AxesImage | None:
    """Draw grey or colour pixels, cut to ``value_range``; what needs a colour bar is returned.

    Raises:
        RecollectError: images have neither one nor three channels.
    """
    low, high = value_range
    channels = made.pixels.shape[2]
    if channels not in (1, 3):
        raise RecollectError(f"images have {channels} channels, only those with 1 or 3 can be drawn")
    if channels == 3:
        # NaN, the space between images, becomes white.
        panel.imshow(
            np.nan_to_num(np.clip((made.pixels - low) / (high - low), 0, 1), nan=1.0), interpolation="nearest"
        )
        return None
    measured = is_measured(made, value_range)
    image = panel.imshow(
        np.ma.masked_invalid(made.pixels[:, :, 0]), cmap=COLOURS if measured else GREYS, vmin=low, vmax=high,
        interpolation="nearest",
    )  # fmt: skip
    return image if measured else None
