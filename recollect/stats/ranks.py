"""Ranks of methods over scenarios, Friedman's test and Nemenyi's critical difference.

Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006). N counts scenarios,
not seeds: seeds of one scenario are not independent data sets.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST_SCENARIOS = 5
"""Fewer tell nothing: with 4 scenarios and 5 methods mean ranks must differ by 3.05 of at most 4."""


class Ranks(NamedTuple):
    """Mean rank of every method (1 is best), number of scenarios, p of Friedman's test (NaN if undefined)."""

    mean: NDArray[np.float64]
    n: int
    p_friedman: float


def rank_rows(values: NDArray[np.float64], higher_is_better: bool) -> NDArray[np.float64]:
    """Ranks within each row of shape (scenarios, methods); 1 is best, ties share the mean of their places."""
    keys = -values if higher_is_better else values
    return np.array([[(row < x).sum() + ((row == x).sum() + 1) / 2 for x in row] for row in keys])


def mean_ranks(values: NDArray[np.float64], higher_is_better: bool) -> Ranks:
    """Mean ranks over scenarios; rows with a NaN are left out: ranks among fewer methods differ."""
    complete = values[np.isfinite(values).all(axis=1)]
    n, k = complete.shape
    if n == 0:
        return Ranks(np.full(values.shape[1], np.nan), 0, math.nan)
    ranks = rank_rows(complete, higher_is_better)
    return Ranks(ranks.mean(axis=0), n, _friedman(ranks) if n > 1 and k > 2 else math.nan)


def _friedman(ranks: NDArray[np.float64]) -> float:
    """p by Iman & Davenport's F, with Friedman's statistic corrected for ties."""
    from scipy.special import fdtrc

    n, k = ranks.shape
    spread = float((ranks**2).sum()) - n * k * (k + 1) ** 2 / 4
    if spread == 0.0:
        return math.nan
    chi = (k - 1) * float(((ranks.sum(axis=0) - n * (k + 1) / 2) ** 2).sum()) / spread
    rest = n * (k - 1) - chi
    if rest <= 1e-12 * n * k:
        return 0.0
    return float(fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi / rest))


def critical_difference(k: int, n: int, alpha: float = 0.05) -> float:
    """How far two mean ranks must lie apart (Nemenyi) among k methods on n scenarios."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, k, np.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * n))


def cliques(mean: NDArray[np.float64], difference: float) -> list[tuple[int, int]]:
    """Maximal runs (first, last), in order of rank, of at least two methods no further apart than a difference."""
    ordered = np.sort(mean)
    found: list[tuple[int, int]] = []
    for first in range(len(ordered)):
        last = int(np.searchsorted(ordered, ordered[first] + difference + 1e-12, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
