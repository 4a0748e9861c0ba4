"""Student's t interval of a mean: wider than the bootstrap's where seeds are few, and right for normal errors."""

import math

import numpy as np
from numpy.typing import ArrayLike


def t_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float, float]:
    """Mean, low, high and two-sided p of a mean of zero; all but the mean are NaN with fewer than two values.

    Without spread the interval is the mean itself, and p is NaN: there is nothing to test it with.
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    mean = float(x.mean()) if n else math.nan
    if n < 2:
        return mean, math.nan, math.nan, math.nan
    error = float(x.std(ddof=1)) / math.sqrt(n)
    if error <= 4 * np.finfo(np.float64).eps * float(np.abs(x).max()):
        return mean, mean, mean, math.nan
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    return mean, mean - reach, mean + reach, float(2 * stdtr(n - 1, -abs(mean) / error))
