"""Sheets of images: samples of every task after every task, and images above their reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recollect.figures.mosaic import Cell, is_measured, mosaic, show
from recollect.figures.style import GREY, new_figure, wrapped
from recollect.stats.bootstrap import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_TASKS = 10
PAGE_MM, CELL_MM, NARROWEST_MM = 170.0, 34.0, 70.0
LEFT_MM, TOP_MM, BAR_MM, LINE_MM = 12.0, 8.5, 11.0, 3.2
CAPTION_CHARACTERS_PER_MM = 0.75


class About(NamedTuple):
    """What a picture is of: its title, the number of tasks, and smallest and largest pixel of the data."""

    title: str
    n_tasks: int
    value_range: tuple[float, float]


def shown_tasks(n_tasks: int) -> list[int]:
    """The tasks of a sheet: all, or so many evenly spread ones, first and last among them."""
    return sorted({round(x) for x in np.linspace(0, n_tasks - 1, min(n_tasks, MOST_TASKS))})


def per_line(n_tasks: int) -> int:
    """How many samples of a task stand in a line, and how many lines."""
    return 3 if n_tasks <= MOST_TASKS // 2 else 2


def sample_sheet(
    real: Mapping[int, FloatArray], made: Mapping[tuple[int, int], FloatArray], about: About
) -> Figure:
    """Samples of every task after every task, below images of these tasks.

    Args:
        real: task to images (n, C, H, W); the tasks are the columns.
        made: (after training task, task) to samples (n, C, H, W).
        about: what the picture is of.
    """
    columns, rows = sorted(real), sorted({after for after, _ in made})
    cells: list[list[Cell]] = [[real[task] for task in columns]]
    cells += [[made.get((after, task)) for task in columns] for after in rows]
    names = ["data", *(f"after\ntask {after + 1}" for after in rows)]
    caption = "Columns: samples of a task, with the same noise in every row. First row: its evaluation images."
    return _sheet(cells, names, columns, per_line(len(columns)), about, caption)


def reconstruction_sheet(rows: Mapping[str, Mapping[int, FloatArray]], about: About, caption: str) -> Figure:
    """Images of every task and below each its reconstructions.

    Args:
        rows: name of a row to task to images (n, C, H, W), the i-th of all rows belonging together.
        about: what the picture is of.
        caption: what the rows are.
    """
    columns = sorted({task for row in rows.values() for task in row})
    cells: list[list[Cell]] = [[row.get(task) for task in columns] for row in rows.values()]
    across = max(len(images) for row in rows.values() for images in row.values())
    return _sheet(cells, list(rows), columns, across, about, caption)


def _sheet(
    cells: Sequence[Sequence[Cell]], rows: Sequence[str], tasks: Sequence[int], across: int, about: About,
    caption: str,
) -> Figure:  # fmt: skip
    made = mosaic(cells, across)
    if len(tasks) < about.n_tasks:
        caption += f" Tasks {', '.join(str(task + 1) for task in tasks)} of {about.n_tasks}."
    height, width = made.pixels.shape[:2]
    panel_mm = min(PAGE_MM - LEFT_MM - 1, CELL_MM * len(tasks))
    page = _Page(
        panel_mm, panel_mm * height / width, BAR_MM if is_measured(made, about.value_range) else 0.0, caption
    )
    panel = page.panel()
    image = show(panel, made, about.value_range)
    panel.set_xticks(made.columns, [f"task {task + 1}" for task in tasks])
    panel.set_yticks(made.rows, rows)
    panel.xaxis.tick_top()
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    if image is not None:
        page.value_bar(image)
    page.write(about.title)
    return page.figure


class _Page:
    """A figure in which everything has its place in millimetres: title, panel, colour bar, caption."""

    def __init__(self, width: float, height: float, bar: float, caption: str) -> None:
        self.panel_size = (width, height)
        self.width = max(width + LEFT_MM + 1, NARROWEST_MM)
        self.caption = wrapped(caption, int(self.width * CAPTION_CHARACTERS_PER_MM))
        self.below = bar + LINE_MM * (self.caption.count("\n") + 1) + 2
        self.height = TOP_MM + height + self.below
        self.left = LEFT_MM + (self.width - width - LEFT_MM - 1) / 2
        self.figure = new_figure(self.height, self.width)
        self.figure.set_layout_engine("none")

    def _axes(self, left: float, bottom: float, width: float, height: float) -> Any:
        place = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place)

    def panel(self) -> Any:
        """The axes of the images."""
        return self._axes(self.left, self.below, *self.panel_size)

    def value_bar(self, image: Any) -> None:
        """What colours mean, in a bar of a third of the panel's width."""
        width = self.panel_size[0] / 3
        axes = self._axes(self.left + width, self.below - 4, width, 2)
        bar = self.figure.colorbar(image, cax=axes, orientation="horizontal")
        bar.set_label("pixel value, range of the training images", labelpad=2)
        bar.outline.set_linewidth(0.4)

    def write(self, title: str) -> None:
        """Title above, caption below."""
        middle = self.left / self.width + self.panel_size[0] / self.width / 2
        self.figure.text(middle, 1 - 1 / self.height, title, ha="center", va="top")
        self.figure.text(0.5, 1 / self.height, self.caption, ha="center", va="bottom", fontsize=6.5, color=GREY)
