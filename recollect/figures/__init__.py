"""Figures: accuracy matrices, curves over tasks, forgetting per task, final values with every seed."""

from recollect.figures.draw import draw_all, figure_paths

__all__ = ["draw_all", "figure_paths"]
