"""Equivalence: is a mean shown to lie close to a value, rather than merely not shown to lie far from it?

Source: Schuirmann, A comparison of the two one-sided tests procedure and the power approach, J. Pharmacokinet.
Biopharm. 15 (1987). Two one-sided t-tests (TOST), normal errors.
"""

import math

from recollect.errors import RecollectError


def tost(mean: float, std: float, n: int, target: float, tolerance: float) -> float:
    """p-value of the null hypothesis that the true mean is at least `tolerance` away from `target`.

    Small means: equivalence is shown. The target is taken as exact; where it is itself the mean of other runs,
    their spread is not in this p.

    Args:
        mean, std: mean and sample standard deviation (ddof 1) of n values.
        n: number of values.
        target: the value to be equivalent to.
        tolerance: half-width of the zone of equivalence, above zero, in the unit of the values.

    Returns:
        The larger of the two one-sided p; NaN with fewer than two values. Without spread it is 0 or 1.

    Raises:
        RecollectError: the tolerance is not above zero.
    """
    if not tolerance > 0:
        raise RecollectError(f"a test of equivalence needs a tolerance above zero, got {tolerance}.")
    if n < 2 or math.isnan(std):
        return math.nan
    room = tolerance - abs(mean - target)
    if std == 0.0:
        return 0.0 if room > 0 else 1.0
    from scipy.special import stdtr

    return float(stdtr(n - 1, -room * math.sqrt(n) / std))
