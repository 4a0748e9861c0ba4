"""How many seeds would settle a question: power of the paired t-test.

Assumptions: the differences seen so far have the true mean and spread, further ones are independent and normal.
With few seeds both are rough guesses, so the number is an order of magnitude.
Source: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), ch. 2; noncentral t distribution.
"""

import math

POWER = 0.8
MOST = 10_000


def t_test_power(effect: float, n: int, alpha: float = 0.05) -> float:
    """Power of the two-sided one-sample (or paired) t-test at a standardised effect d_z with n values (pairs).

    Only rejections on the side of the effect count.
    """
    from scipy.special import nctdtr, stdtrit

    if n < 2:
        return 0.0
    critical = stdtrit(n - 1, 1 - alpha / 2)
    noncentrality = min(abs(effect) * math.sqrt(n), 37.0)  # beyond it the distribution has no mass below 30
    return float(1 - nctdtr(n - 1, noncentrality, critical))


def seeds_needed(mean: float, std: float, *, alpha: float = 0.05, power: float = POWER) -> int | None:
    """Smallest number of pairs with which the paired t-test finds a mean difference with this power.

    Args:
        mean, std: mean and sample standard deviation of the differences seen so far.
        alpha: two-sided level; divide it by the number of comparisons for Bonferroni's (and Holm's first) step.
        power: chance of finding the difference.

    Returns:
        At least 2; None where it cannot be said (no difference, no spread known) or is above `MOST`.
    """
    if not math.isfinite(mean) or not math.isfinite(std) or mean == 0.0:
        return None
    if std == 0.0:
        return 2
    effect = mean / std
    if t_test_power(effect, MOST, alpha) < power:
        return None
    low, high = 1, 2
    while t_test_power(effect, high, alpha) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if t_test_power(effect, middle, alpha) >= power else (middle, high)
    return high
