"""Holm's step-down adjustment of p-values.

Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recollect.errors import RecollectError


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Return Holm-adjusted p-values in the order given.

    A comparison that was planned but has no p-value (NaN: no spread, too few pairs) stays NaN and
    still counts in the size of the family, so a failed run never makes the others look better.

    Raises:
        RecollectError: a p-value lies outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise RecollectError(f"Holm's adjustment needs p-values between 0 and 1, got {p[known].tolist()}.")
    order = known[np.argsort(p[known], kind="stable")]
    steps = (len(p) - np.arange(len(order))) * p[order]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def smallest_wilcoxon_p(n_pairs: int) -> float:
    """Smallest two-sided p that Wilcoxon's signed-rank test can reach: 0.0625 with 5 pairs."""
    return min(1.0, 2.0 ** (1 - n_pairs))
