"""The verdict on one cell: where the published value lies relative to our interval."""

import math

NO_PUBLISHED = "no published value"
NO_REPRODUCED = "no reproduced value"
ONE_SEED = "one seed: no interval"
INSIDE = "inside interval"
ABOVE = "above interval"
BELOW = "below interval"


def verdict(published: float, low: float, high: float, n_seeds: int) -> str:
    """Say where the published value lies: inside, above or below the reproduced interval.

    Args:
        published: published value, NaN if there is none; the unit of the data.
        low: lower end of the reproduced interval.
        high: upper end of the reproduced interval.
        n_seeds: seeds behind the interval.
    """
    if math.isnan(published):
        return NO_PUBLISHED
    if n_seeds == 0:
        return NO_REPRODUCED
    if n_seeds == 1:
        return ONE_SEED
    if published > high:
        return ABOVE
    return BELOW if published < low else INSIDE
