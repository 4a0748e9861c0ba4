"""The verdict on one cell: does the reproduced value agree with the published one, and if not, by how much."""

import math
from dataclasses import dataclass

from recollect.tables.metric_info import MetricInfo

NO_PUBLISHED = "no published value"
NO_REPRODUCED = "no reproduced value"
WITHIN_INTERVAL = "agrees within interval"
ONE_SEED = ", one seed"
ROUNDING = 1e-9
"""Of a threshold: 0.95 - 0.92 is a little more than 0.03 in floating point."""


@dataclass(frozen=True)
class Verdict:
    """The words, and whether they say that the two numbers agree."""

    text: str
    agrees: bool


@dataclass(frozen=True)
class Reproduced:
    """A mean over seeds and its interval, in the unit of the data; with one seed there is no interval."""

    mean: float
    low: float
    high: float
    n_seeds: int

    def has_inside(self, value: float) -> bool:
        """Whether a value lies in the interval; never with one seed."""
        return self.n_seeds > 1 and self.low <= value <= self.high


def verdict(published: float, ours: Reproduced, info: MetricInfo, threshold: float = math.nan) -> Verdict:
    """Judge a reproduced value against a published one.

    Args:
        published: NaN if there is none; the unit of the data.
        ours: the reproduced value.
        info: the metric, which says which side is better.
        threshold: how far apart still agrees: a share of the published value, or for a metric in percent
            a difference of fractions. NaN: only the interval counts.
    """
    if math.isnan(published):
        return Verdict(NO_PUBLISHED, agrees=False)
    if ours.n_seeds == 0:
        return Verdict(NO_REPRODUCED, agrees=False)
    gap = ours.mean - published
    limit = threshold if info.unit == "%" else threshold * abs(published)
    near, inside = abs(gap) <= limit * (1 + ROUNDING), ours.has_inside(published)
    if inside and (near or math.isnan(threshold)):
        return Verdict(WITHIN_INTERVAL, agrees=True)
    one = ONE_SEED if ours.n_seeds == 1 else ""
    if near:
        within = f"agrees within {threshold_text(threshold, info)}"
        return Verdict(within + (one or ", outside interval"), agrees=True)
    text = f"{'within interval, ' if inside else ''}{_how_far(gap, published, info)}{one}"
    return Verdict(text, agrees=inside or gap == 0)


def threshold_text(threshold: float, info: MetricInfo) -> str:
    """A threshold as readers see it, `15 %` of the published value or `3 points`."""
    return f"{100 * threshold:g} {'points' if info.unit == '%' else '%'}"


def _how_far(gap: float, published: float, info: MetricInfo) -> str:
    if gap == 0:
        return "equal"
    word = "better" if (gap > 0) == (info.direction == "up") else "worse"
    amount = info.show(abs(gap))
    if info.unit == "%":
        return f"{word} by {amount} points"
    unit = f" {info.unit}" if info.unit else ""
    share = f" ({_percent(abs(gap / published))})" if published else ""
    return f"{word} by {amount}{unit}{share}"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.1 else 1}f} %"
