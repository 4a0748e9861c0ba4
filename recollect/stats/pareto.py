"""Which methods no other one beats in both of two things, e.g. accuracy and seconds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, gain: ArrayLike) -> NDArray[np.bool_]:
    """True for points that no other point beats: none has at most the cost and at least the gain, and one better.

    Points with a NaN are never on the front.
    """
    c, g = np.asarray(cost, dtype=np.float64), np.asarray(gain, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        as_good = (c[None, :] <= c[:, None]) & (g[None, :] >= g[:, None])
        better = (c[None, :] < c[:, None]) | (g[None, :] > g[:, None])
    known = np.isfinite(c) & np.isfinite(g)
    return known & ~(as_good & better & known[None, :]).any(axis=1)
