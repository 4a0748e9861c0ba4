"""Figures: accuracy matrices, curves over tasks, final values with every seed."""

from recollect.figures.draw import draw_all, figure_paths

__all__ = ["draw_all", "figure_paths"]
