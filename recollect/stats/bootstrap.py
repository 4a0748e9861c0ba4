"""Mean over seeds with a seeded percentile-bootstrap interval.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13 (percentile interval).

Two properties are wanted beyond the textbook. The same input gives the same bytes everywhere: sums
run in a fixed order, without BLAS. And thousands of cells are cheap: all cells with the same number
of seeds share one set of resamples, and for few seeds equal resamples are computed once and counted
(5 seeds have 126 distinct resamples, not 10,000).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recollect.errors import RecollectError

FloatArray = NDArray[np.float64]

_CHUNK_ELEMENTS = 2_000_000  # 16 MB of float64 at a time keeps memory flat in the number of cells
_FEW = 30  # values of which equal resamples are looked for: of more, ten thousand resamples are all different


@dataclass(frozen=True)
class MeanInterval:
    """Mean over seeds, in the unit of the data.

    `low`, `high` and `std` (sample standard deviation, ddof 1) are NaN where `note` says why.
    """

    n: int
    mean: float
    low: float
    high: float
    std: float
    note: str


class RowIntervals(NamedTuple):
    """Mean, interval and sample standard deviation of every row; arrays of shape (cells,)."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    std: FloatArray


def derive_seed(seed: int, *labels: str | int) -> int:
    """Return a 64-bit seed that depends only on the config seed and the labels (SHA-256)."""
    text = "/".join(["recollect.stats", str(seed), *(str(label) for label in labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def row_sums(rows: FloatArray) -> FloatArray:
    """Sum each row from left to right, so that the last bit does not depend on the machine."""
    total = np.zeros(rows.shape[0])
    for column in rows.T:
        total = total + column
    return total


def row_means(rows: FloatArray) -> FloatArray:
    """Mean of each row, held inside the row's own range (rounding may not push it out)."""
    mean = row_sums(rows) / rows.shape[1]
    return np.clip(mean, rows.min(axis=1), rows.max(axis=1))


def row_stds(rows: FloatArray) -> FloatArray:
    """Sample standard deviation (ddof 1) of each row; NaN for rows of one value."""
    n = rows.shape[1]
    if n < 2:
        return np.full(rows.shape[0], np.nan)
    return np.sqrt(row_sums((rows - row_means(rows)[:, None]) ** 2) / (n - 1))


def mean_interval(
    values: Mapping[int, float], *, confidence: float = 0.95, n_resamples: int = 10_000, seed: int = 0
) -> MeanInterval:
    """Mean over seeds with its percentile-bootstrap interval.

    Args:
        values: value per seed; the order does not matter, it is sorted by seed.
        confidence: coverage asked for, between 0 and 1.
        n_resamples: number of bootstrap resamples.
        seed: the config seed; the generator is seeded from it and the number of values.

    Raises:
        RecollectError: a value is NaN or infinite, or an option is out of range.
    """
    if not values:
        return MeanInterval(0, np.nan, np.nan, np.nan, np.nan, "no seeds: no mean")
    ordered = np.array([[float(values[key]) for key in sorted(values)]])
    rows = mean_interval_rows(ordered, confidence=confidence, n_resamples=n_resamples, seed=seed)
    note = "one seed: no interval" if len(values) == 1 else ""
    mean, low, high, std = (float(column[0]) for column in rows)
    return MeanInterval(len(values), mean, low, high, std, note)


def mean_interval_rows(
    rows: FloatArray, *, confidence: float = 0.95, n_resamples: int = 10_000, seed: int = 0
) -> RowIntervals:
    """Means and percentile-bootstrap intervals of many cells at once.

    With few seeds the percentile interval is too narrow: for normal data a nominal 95 % interval
    covers the true mean about 75 times in 100 with 3 seeds, 84 with 5, 90 with 10 and 94 with 30.

    Args:
        rows: shape (cells, n): the n values of a cell, sorted by seed. n = 1 gives NaN intervals.
        confidence: coverage asked for, between 0 and 1.
        n_resamples: number of bootstrap resamples.
        seed: the config seed.

    Raises:
        RecollectError: a value is NaN or infinite, or an option is out of range.
    """
    rows = _checked(rows, confidence, n_resamples)
    mean, std = row_means(rows), row_stds(rows)
    cells, n = rows.shape
    if n < 2 or cells == 0:
        empty = np.full(cells, np.nan)
        return RowIntervals(mean, empty, empty.copy(), std)
    weights, times = _resamples(n, n_resamples, seed)
    tails = (0.5 - confidence / 2, 0.5 + confidence / 2)
    low, high = np.empty(cells), np.empty(cells)
    step = max(1, _CHUNK_ELEMENTS // len(times))
    for start in range(0, cells, step):
        part = slice(start, start + step)
        means = _resampled_means(rows[part], mean[part], weights)
        low[part], high[part] = _quantiles(means, times, tails)
    return RowIntervals(mean, low, high, std)


def _checked(rows: FloatArray, confidence: float, n_resamples: int) -> FloatArray:
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise RecollectError(f"bootstrap needs rows of shape (cells, seeds), got shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise RecollectError("bootstrap got a NaN or infinite value: leave that seed out and say so in the cell.")
    if not 0.0 < confidence < 1.0:
        raise RecollectError(f"confidence must lie between 0 and 1 (0.95 for 95 %), got {confidence}.")
    if n_resamples < 1:
        raise RecollectError(f"n_resamples must be at least 1, got {n_resamples}.")
    return rows


@lru_cache(maxsize=4)  # tables of a suite share them
def _resamples(n: int, n_resamples: int, seed: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """How often each value is drawn, (n, resamples), and how often each resample occurs; equal ones once."""
    counts = _resample_counts(n, n_resamples, derive_seed(seed, "bootstrap", n, n_resamples))
    distinct, times = counts, np.ones(n_resamples, dtype=np.int64)
    if n <= _FEW:
        some, how_often = np.unique(counts, axis=0, return_counts=True)
        if len(some) <= n_resamples // 4:
            distinct, times = some, how_often
    return np.ascontiguousarray(distinct.T, dtype=np.float64), times


def _resample_counts(n: int, n_resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each of n values is drawn in each resample; shape (n_resamples, n)."""
    drawn = np.random.default_rng(seed).integers(0, n, size=(n_resamples, n))
    flat = (drawn + n * np.arange(n_resamples)[:, None]).ravel()
    return np.bincount(flat, minlength=n_resamples * n).reshape(n_resamples, n)


def _resampled_means(rows: FloatArray, mean: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean of every resample of every cell; shape (cells, resamples).

    Deviations from the mean are resampled, so that equal values give exactly their own value back.
    """
    deviations = rows - mean[:, None]
    total = np.zeros((rows.shape[0], weights.shape[1]))
    product = np.empty_like(total)
    for column, weight in zip(deviations.T, weights, strict=True):
        np.multiply(column[:, None], weight, out=product)
        total += product
    total /= rows.shape[1]
    return mean[:, None] + total


def _quantiles(means: FloatArray, times: NDArray[np.int64], tails: tuple[float, ...]) -> list[FloatArray]:
    """Linear-interpolation quantiles (numpy's default) of values that occur `times` often."""
    total = int(times.sum())
    places = [(total - 1) * tail for tail in tails]
    ranks = sorted({min(int(place) + step, total - 1) for place in places for step in (0, 1)})
    at = dict(zip(ranks, _order_statistics(means, times, ranks), strict=True))
    quantiles = []
    for place in places:
        below, above = at[int(place)], at[min(int(place) + 1, total - 1)]
        quantiles.append(below + (above - below) * (place - int(place)))
    return quantiles


def _order_statistics(means: FloatArray, times: NDArray[np.int64], ranks: list[int]) -> list[FloatArray]:
    if (times == 1).all():
        parted = np.partition(means, ranks, axis=1)
        return [parted[:, rank] for rank in ranks]
    order = np.argsort(means, axis=1)
    upto = np.cumsum(times[order], axis=1)
    found = []
    for rank in ranks:
        position = np.argmax(upto > rank, axis=1)
        column = np.take_along_axis(order, position[:, None], axis=1)
        found.append(np.take_along_axis(means, column, axis=1)[:, 0])
    return found
