"""Paired comparison of a method with a reference: same scenario, same seed, same split.

The test is the paired t-test. Wilcoxon's signed-rank test is not used: on 5 pairs its two-sided p
cannot go below 0.0625. Effect size: d_z (mean / standard deviation of the differences; Cohen 1988)
times Hedges' exact small-sample factor (Hedges 1981).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recollect.errors import RecollectError
from recollect.stats.bootstrap import FloatArray, mean_interval_rows

NO_PAIRS = "no common seed: no comparison"
ONE_PAIR = "one pair: no interval, no test"
TWO_PAIRS = "two pairs: no effect size"
NO_DIFFERENCE = "no difference in any seed: t-test and effect size undefined"
SAME_DIFFERENCE = "same difference in every seed: effect size infinite, t-test undefined"

# Differences of decimals carry a rounding error of this many units in the last place of the values.
_ROUNDING_ULPS = 4


@dataclass(frozen=True)
class PairedComparison:
    """Mean of (method - reference) over the seeds of both, in the unit of the data.

    A NaN always has its words in `note`. `effect` is infinite where every seed differs by the same
    non-zero amount.
    """

    n: int
    diff: float
    low: float
    high: float
    p_t: float
    effect: float
    note: str


class PairedRows(NamedTuple):
    """The same for many cells; arrays of shape (cells,), one note per cell."""

    diff: FloatArray
    low: FloatArray
    high: FloatArray
    p_t: FloatArray
    effect: FloatArray
    note: list[str]


def hedges_factor(df: int) -> float:
    """Hedges' exact correction J(df) = G(df/2) / (sqrt(df/2) G((df-1)/2)), about 1 - 3/(4 df - 1).

    Raises:
        RecollectError: df is below 2, where the correction does not exist.
    """
    if df < 2:
        raise RecollectError(f"Hedges' correction needs at least 2 degrees of freedom (3 pairs), got {df}.")
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)


def compare_paired(
    method: Mapping[int, float],
    reference: Mapping[int, float],
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> PairedComparison:
    """Compare value-per-seed maps over the seeds they share.

    Raises:
        RecollectError: a value is NaN or infinite, or an option is out of range.
    """
    common = sorted(set(method) & set(reference))
    if not common:
        return PairedComparison(0, math.nan, math.nan, math.nan, math.nan, math.nan, NO_PAIRS)
    ours = np.array([[float(method[key]) for key in common]])
    theirs = np.array([[float(reference[key]) for key in common]])
    rows = compare_paired_rows(ours, theirs, confidence=confidence, n_resamples=n_resamples, seed=seed)
    diff, low, high, p_t, effect = (float(column[0]) for column in rows[:5])
    return PairedComparison(len(common), diff, low, high, p_t, effect, rows.note[0])


def compare_paired_rows(
    method: FloatArray,
    reference: FloatArray,
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> PairedRows:
    """Compare many cells at once.

    Args:
        method: shape (cells, n), the values of each cell sorted by seed.
        reference: shape (cells, n), the reference's values for the same seeds.
        confidence: coverage of the paired bootstrap interval.
        n_resamples: number of bootstrap resamples.
        seed: the config seed.

    Raises:
        RecollectError: shapes differ, a value is NaN or infinite, or an option is out of range.
    """
    method, reference = np.asarray(method, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if method.shape != reference.shape:
        raise RecollectError(f"paired rows need equal shapes, got {method.shape} and {reference.shape}.")
    differences = method - reference
    boot = mean_interval_rows(differences, confidence=confidence, n_resamples=n_resamples, seed=seed)
    scale = np.maximum(np.abs(method).max(axis=1), np.abs(reference).max(axis=1))
    rounding = _ROUNDING_ULPS * np.finfo(np.float64).eps * scale
    constant = boot.std <= rounding
    same = constant & (np.abs(boot.mean) <= rounding)
    p_t, effect = _test_and_effect(boot.mean, boot.std, differences.shape[1], constant, same)
    notes = _notes(differences.shape[1], constant, same)
    return PairedRows(boot.mean, boot.low, boot.high, p_t, effect, notes)


def _test_and_effect(
    mean: FloatArray, std: FloatArray, n: int, constant: NDArray[np.bool_], same: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Two-sided paired t-test p and corrected d_z; NaN or infinite where the differences do not vary."""
    p_t, effect = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    if n < 2:
        return p_t, effect
    from scipy.special import stdtr

    varies = ~constant
    d_z = mean[varies] / std[varies]
    p_t[varies] = 2 * stdtr(n - 1, -np.abs(d_z) * math.sqrt(n))
    if n >= 3:
        effect[varies] = hedges_factor(n - 1) * d_z
        shifted = constant & ~same
        effect[shifted] = np.copysign(np.inf, mean[shifted])
    return p_t, effect


def _notes(n: int, constant: NDArray[np.bool_], same: NDArray[np.bool_]) -> list[str]:
    if n == 1:
        return [ONE_PAIR] * len(constant)
    usual = TWO_PAIRS if n == 2 else ""
    shifted = SAME_DIFFERENCE if n > 2 else "same difference in both seeds: t-test and effect size undefined"
    words = np.where(same, NO_DIFFERENCE, np.where(constant, shifted, usual))
    return [str(word) for word in words]
