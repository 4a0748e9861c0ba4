"""What figures need from accuracy matrices R[t, i] of shape (seeds, tasks, tasks)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from recollect.errors import RecollectError
from recollect.stats import mean_interval_rows
from recollect.stats.bootstrap import FloatArray


class Curve(NamedTuple):
    """Mean over seeds of one value per task, with its interval; arrays of shape (tasks,), fractions."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


def checked(matrices: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the matrices as float arrays.

    Raises:
        RecollectError: a matrix is not of shape (seeds, tasks, tasks), or has another number of tasks.
    """
    arrays = {method: np.asarray(matrix, dtype=np.float64) for method, matrix in matrices.items()}
    for method, array in arrays.items():
        if array.ndim != 3 or array.shape[1] != array.shape[2] or 0 in array.shape:
            raise RecollectError(
                f"the accuracy matrix of '{method}' must have shape (seeds, tasks, tasks), got {array.shape}."
            )
    sizes = {method: array.shape[1] for method, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise RecollectError(f"methods of one scenario must have as many tasks each, got {sizes}.")
    return arrays


def mean_matrix(matrix: FloatArray) -> FloatArray:
    """Mean over seeds, shape (tasks, tasks); NaN where a seed lacks it and above the diagonal."""
    return np.where(np.tril(np.ones(matrix.shape[1:], dtype=bool)), matrix.mean(axis=0), np.nan)


def seen_accuracy(matrix: FloatArray) -> FloatArray:
    """Unweighted mean of R[t, i] over i <= t for each seed, shape (seeds, tasks); NaN where not evaluated."""
    lower = np.tril(np.ones(matrix.shape[1:], dtype=bool))
    return np.where(lower, matrix, 0.0).sum(axis=2) / lower.sum(axis=1)


def lost_accuracy(matrix: FloatArray) -> FloatArray:
    """Best accuracy ever reached on tasks 1..T-1 minus the final one, shape (seeds, T - 1).

    Its mean over tasks is `forgetting_max`. NaN where the task was not judged after every task from its own on.
    """
    lower = np.tril(np.ones(matrix.shape[1:], dtype=bool))
    best = np.where(lower, matrix, -np.inf).max(axis=1)  # NaN stays NaN
    return (best - matrix[:, -1])[:, :-1]


def seen_curve(matrix: FloatArray, *, confidence: float, n_resamples: int, seed: int) -> Curve:
    """Mean over seeds of `seen_accuracy`, with its bootstrap interval (NaN for one seed)."""
    return _curve(seen_accuracy(matrix).T, confidence=confidence, n_resamples=n_resamples, seed=seed)


def lost_curve(matrix: FloatArray, *, confidence: float, n_resamples: int, seed: int) -> Curve:
    """Mean over seeds of `lost_accuracy`, with its bootstrap interval (NaN for one seed)."""
    return _curve(lost_accuracy(matrix).T, confidence=confidence, n_resamples=n_resamples, seed=seed)


def _curve(points: FloatArray, *, confidence: float, n_resamples: int, seed: int) -> Curve:
    """Mean and interval of points (tasks, seeds)."""
    evaluated = np.isfinite(points).all(axis=1)
    curve = Curve(*(np.full(len(points), np.nan) for _ in range(3)))
    if evaluated.any():
        rows = mean_interval_rows(points[evaluated], confidence=confidence, n_resamples=n_resamples, seed=seed)
        curve.mean[evaluated], curve.low[evaluated], curve.high[evaluated] = rows.mean, rows.low, rows.high
    return curve
