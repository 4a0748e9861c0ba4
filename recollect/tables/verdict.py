"""The verdict on one cell: does the reproduced value agree with the published one, and if not, by how much."""

import math
from dataclasses import dataclass

from recollect.stats.equivalence import tost
from recollect.tables.metric_info import MetricInfo

AGREES = "agrees"
WITHIN_TOLERANCE = "within tolerance"
BETTER = "better"
WORSE = "worse"
CANNOT_TELL = "cannot tell"
ORDERING_ONLY = "ordering only"
NOT_RUN = "not run"
FAILED = "failed"
NOTHING_PUBLISHED = "nothing published"
KINDS = (
    AGREES, WITHIN_TOLERANCE, BETTER, WORSE, CANNOT_TELL, ORDERING_ONLY, NOT_RUN, FAILED, NOTHING_PUBLISHED,
)  # fmt: skip
"""Every cell has one of these; docs/report.md says how to read them."""

NO_PUBLISHED = "no published value"
NO_REPRODUCED = "no reproduced value"
WITHIN_INTERVAL = "agrees within interval"
ONE_SEED = ", one seed"
ROUNDING = 1e-9
"""Of a threshold: 0.95 - 0.92 is a little more than 0.03 in floating point."""


@dataclass(frozen=True)
class Verdict:
    """The words, whether they say that the two numbers agree, and one of `KINDS`.

    p_tost: of the null hypothesis that the two are further apart than the threshold; NaN if it cannot be tested.
    """

    text: str
    agrees: bool
    kind: str = NOTHING_PUBLISHED
    p_tost: float = math.nan


@dataclass(frozen=True)
class Reproduced:
    """A mean over seeds, its interval and standard deviation, in the unit of the data; one seed has neither.

    missing: why there is no value at all: `NOT_RUN`, `FAILED`, or `CANNOT_TELL` for a metric that is not defined.
    """

    mean: float
    low: float
    high: float
    n_seeds: int
    std: float = math.nan
    missing: str = NOT_RUN

    def has_inside(self, value: float) -> bool:
        """Whether a value lies in the interval; never with one seed."""
        return self.n_seeds > 1 and self.low <= value <= self.high


def verdict(
    published: float, ours: Reproduced, info: MetricInfo, threshold: float = math.nan, differs: str = ""
) -> Verdict:
    """Judge a reproduced value against a published one.

    A published value inside an interval that is wider than the threshold is no agreement: seeds are too few to
    say, and the kind is `CANNOT_TELL`. So it is with one seed where no threshold is stated.

    Args:
        published: NaN if there is none; the unit of the data. Taken as exact, as papers seldom give its spread.
        ours: the reproduced value.
        info: the metric, which says which side is better.
        threshold: how far apart still agrees: a share of the published value, or for a metric in percent
            a difference of fractions. NaN: only the interval counts.
        differs: what makes the values themselves incomparable (extractor, data, protocol), so that only the
            order of methods can be compared; empty if nothing does.
    """
    if math.isnan(published):
        kind = ours.missing if ours.n_seeds == 0 and ours.missing != CANNOT_TELL else NOTHING_PUBLISHED
        return Verdict(NO_PUBLISHED, agrees=False, kind=kind)
    if ours.n_seeds == 0:
        return Verdict(NO_REPRODUCED, agrees=False, kind=ours.missing)
    if differs:
        return Verdict(f"{ORDERING_ONLY}: {differs} differs", agrees=False, kind=ORDERING_ONLY)
    gap = ours.mean - published
    limit = threshold if info.unit == "%" else threshold * abs(published)
    near, inside = abs(gap) <= limit * (1 + ROUNDING), ours.has_inside(published)
    p_tost = tost(ours.mean, ours.std, ours.n_seeds, published, limit) if limit > 0 else math.nan
    if inside and (near or math.isnan(threshold)):
        return Verdict(WITHIN_INTERVAL, agrees=True, kind=AGREES, p_tost=p_tost)
    one = ONE_SEED if ours.n_seeds == 1 else ""
    if near:
        within = f"agrees within {threshold_text(threshold, info)}"
        return Verdict(within + (one or ", outside interval"), agrees=True, kind=WITHIN_TOLERANCE, p_tost=p_tost)
    text = f"{'within interval, ' if inside else ''}{_how_far(gap, published, info)}{one}"
    undecided = inside or gap == 0 or (bool(one) and math.isnan(threshold))
    kind = CANNOT_TELL if undecided else BETTER if (gap > 0) == (info.direction == "up") else WORSE
    return Verdict(text, agrees=inside or gap == 0, kind=kind, p_tost=p_tost)


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
