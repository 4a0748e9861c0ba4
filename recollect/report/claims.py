"""Does what a paper says hold in our runs? Holds, fails, or cannot tell yet, with what it rests on.

Differences are signed so that the claimed direction is positive. A part (one pair of methods on one scenario) is
decided by the paired t-test over common seeds, Holm-adjusted over all parts of its claim, those without runs
included. A claim about several parts holds if all hold and fails if one fails. The level is 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from recollect.config.claims import CONSTANT, DIFFERENCE, EQUALS, ORDERING, Claim
from recollect.report.values import Values, resolve
from recollect.stats.equivalence import tost
from recollect.stats.holm import holm
from recollect.stats.intervals import t_interval
from recollect.stats.power import seeds_needed
from recollect.tables.metric_info import metric_info

HOLDS, FAILS, CANNOT_TELL = "holds", "fails", "cannot tell yet"
ALPHA = 0.05
Carried = Mapping[tuple[str, str], Mapping[int, Sequence[float]]]
"""(scenario, method) -> seed -> bytes carried after every task."""


@dataclass(frozen=True)
class Part:
    """One comparison. Interval in the unit of the data; NaN where there are too few seeds.

    more_seeds: how many more would settle it with 80 % power, if those so far are typical; None: unknown.
    """

    scenario: str
    what: str
    metric: str = ""
    outcome: str = CANNOT_TELL
    why: str = ""
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    n: int = 0
    std: float = math.nan
    more_seeds: int | None = None


@dataclass(frozen=True)
class Outcome:
    """A claim with its result; `runs` lists (scenario, method, seeds) that it rests on."""

    claim: Claim
    outcome: str
    why: str
    parts: tuple[Part, ...]
    runs: tuple[tuple[str, str, tuple[int, ...]], ...]
    more_seeds: int | None


def test_claim(claim: Claim, values: Values, carried: Carried) -> Outcome:
    """Test one claim on values per seed and on bytes carried per task."""
    if claim.where_run:
        claim = replace(claim, scenarios=_run_on(claim, values, carried) or claim.scenarios)
    if claim.kind == CONSTANT:
        parts = [_constant(claim, scenario, carried) for scenario in claim.scenarios]
    elif claim.kind == EQUALS:
        parts = _equal_parts(claim, values)
    else:
        parts = _decide(_difference_parts(claim, values))
    more = [part.more_seeds for part in parts if part.outcome == CANNOT_TELL]
    known = [n for n in more if n is not None]
    outcome, why = _overall(parts)
    runs = _rests_on(claim, values, carried)
    return Outcome(
        claim, outcome, why, tuple(parts), runs, max(known) if known and len(known) == len(more) else None
    )


def _run_on(claim: Claim, values: Values, carried: Carried) -> tuple[str, ...]:
    """The scenarios on which all methods of a claim have runs."""
    run = {key[:2] for key in (carried if claim.kind == CONSTANT else values)}
    return tuple(s for s in claim.scenarios if all((s, method) in run for method in claim.methods))


test_claim.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _overall(parts: Sequence[Part]) -> tuple[str, str]:
    counts = {outcome: sum(part.outcome == outcome for part in parts) for outcome in (HOLDS, FAILS, CANNOT_TELL)}
    said = ", ".join(f"{outcome} in {count} of {len(parts)}" for outcome, count in counts.items() if count)
    if counts[FAILS]:
        return FAILS, said
    if counts[HOLDS] == len(parts):
        return HOLDS, said
    whys = list(dict.fromkeys(part.why for part in parts if part.outcome == CANNOT_TELL))
    words = "; ".join(whys[:2]) + (f"; and {len(whys) - 2} more" if len(whys) > 2 else "")
    return CANNOT_TELL, f"{said}: {words}" if counts[HOLDS] else words


# Differences --------------------------------------------------------------------------------------------------


def _difference_parts(claim: Claim, values: Values) -> list[Part]:
    pairs = list(pairwise(claim.order)) if claim.kind == ORDERING else [(claim.method, claim.against)]
    if claim.average and claim.kind == DIFFERENCE:
        return [_part(claim, "mean of all scenarios", *pairs[0], _averaged(claim, values, *pairs[0]), values)]
    return [
        _part(claim, scenario, *pair, _differences(claim, values, scenario, *pair), values)
        for scenario in claim.scenarios
        for pair in pairs
    ]


def _differences(claim: Claim, values: Values, scenario: str, better: str, worse: str) -> dict[int, float]:
    """Signed difference beyond the claimed margin, by common seed."""
    metric = resolve(claim.metric, scenario, values)
    if not metric:
        return {}
    up = metric_info(metric).direction == "up"
    ours, theirs = values.get((scenario, better, metric), {}), values.get((scenario, worse, metric), {})
    found = {}
    for seed in sorted(set(ours) & set(theirs)):
        gain = ours[seed] - theirs[seed] if up else theirs[seed] - ours[seed]
        found[seed] = gain - claim.at_least - claim.at_least_share * abs(theirs[seed])
    return found


def _averaged(claim: Claim, values: Values, better: str, worse: str) -> dict[int, float]:
    """Mean over all scenarios, for the seeds that every scenario has."""
    each = [_differences(claim, values, scenario, better, worse) for scenario in claim.scenarios]
    common = set(each[0]).intersection(*each)
    return {seed: float(np.mean([one[seed] for one in each])) for seed in sorted(common)}


def _part(
    claim: Claim, scenario: str, better: str, worse: str, found: Mapping[int, float], values: Values
) -> Part:
    metric = resolve(claim.metric, scenario, values)
    margin = f" by {100 * claim.at_least_share:g} %" if claim.at_least_share else ""
    what = f"{better} better than {worse}{margin}" if worse else better
    if not found:
        return Part(scenario, what, metric, why=_absent(claim, scenario, (better, worse), values))
    x = list(found.values())
    mean, low, high, p = t_interval(x)
    std = float(np.std(x, ddof=1)) if len(x) > 1 else math.nan
    if len(x) > 1 and math.isnan(p):  # no spread at all: nothing is left to chance
        p = 1.0 if mean == 0.0 else 0.0
    return Part(scenario, what, metric, CANNOT_TELL, "", mean, low, high, p, len(x), std)


def _absent(claim: Claim, scenario: str, methods: Sequence[str], values: Values) -> str:
    """Why there is no pair: which method has no run on which scenario."""
    scenarios = claim.scenarios if scenario not in claim.scenarios else (scenario,)
    run = {(key[0], key[1]) for key in values}
    missing = [f"{m} on {s}" for s in scenarios for m in methods if m and (s, m) not in run]
    if not missing:
        return f"no common seed, or no single {claim.metric}, on {', '.join(scenarios)}"
    more = f" and {len(missing) - 2} more" if len(missing) > 2 else ""
    return f"not run: {', '.join(missing[:2])}{more}"


def _decide(parts: Sequence[Part]) -> list[Part]:
    """Outcomes after Holm's adjustment; undecided parts get the number of seeds that would settle them."""
    adjusted = holm([part.p for part in parts])
    decided = []
    for part, p in zip(parts, adjusted, strict=True):
        part = replace(part, p=float(p))
        if part.n and p < ALPHA:
            decided.append(replace(part, outcome=HOLDS if part.estimate > 0 else FAILS))
        elif part.n == 1:
            decided.append(replace(part, why="one common seed: no spread is known"))
        elif part.n:
            needed = seeds_needed(part.estimate, part.std, alpha=ALPHA / len(parts))
            decided.append(replace(part, why="too few seeds for the spread", more_seeds=_more(needed, part.n)))
        else:
            decided.append(part)
    return decided


def _more(needed: int | None, have: int) -> int | None:
    """Seeds beyond those there are; at least one, as these did not settle it."""
    return None if needed is None else max(1, needed - have)


# Equality and constancy ---------------------------------------------------------------------------------------


def _equal_parts(claim: Claim, values: Values) -> list[Part]:
    if claim.average:
        found = _averaged(claim, values, claim.method, claim.against)
        return [_equal(claim, "mean of all scenarios", found, values)]
    parts = []
    for scenario in claim.scenarios:
        if claim.against:
            found = _differences(claim, values, scenario, claim.method, claim.against)
        else:
            found = values.get((scenario, claim.method, resolve(claim.metric, scenario, values)), {})
        parts.append(_equal(claim, scenario, found, values))
    return parts


def _equal(claim: Claim, scenario: str, found: Mapping[int, float], values: Values) -> Part:
    part = replace(_part(claim, scenario, claim.method, claim.against, found, values), p=math.nan)
    minus = f" minus {claim.against}" if claim.against else ""
    part = replace(part, what=f"{claim.method}{minus} is {claim.value:g} within {claim.tolerance:g}")
    if part.n < 2:
        return replace(part, why="one seed: no spread is known") if part.n else part
    gap, p = part.estimate - claim.value, tost(part.estimate, part.std, part.n, claim.value, claim.tolerance)
    part = replace(part, p=p)
    if p < ALPHA:
        return replace(part, outcome=HOLDS)
    if part.low > claim.value + claim.tolerance or part.high < claim.value - claim.tolerance:
        return replace(part, outcome=FAILS, why="the interval lies outside")
    # TOST is one-sided at ALPHA: the same as a two-sided test at twice that.
    needed = seeds_needed(claim.tolerance - abs(gap), part.std, alpha=2 * ALPHA)
    return replace(part, why="too few seeds for the spread", more_seeds=_more(needed, part.n))


def _constant(claim: Claim, scenario: str, carried: Carried) -> Part:
    """No test: bytes are counted, not sampled."""
    what = f"{claim.quantity} of {claim.method}, every task"
    lists = carried.get((scenario, claim.method), {})
    if not lists:
        why = f"not run, or bytes per task not stored: {claim.method} on {scenario}"
        return Part(scenario, what, claim.quantity, why=why)
    sizes = [size for values in lists.values() for size in values]
    low, high = min(sizes), max(sizes)
    largest_growth = max(max(values) - min(values) for values in lists.values())
    holds = largest_growth <= claim.tolerance * high
    words = f"{low:,.0f} to {high:,.0f} bytes" if high > low else f"{high:,.0f} bytes after every task"
    return Part(scenario, what, claim.quantity, HOLDS if holds else FAILS, words, high - low, n=len(lists))


def _rests_on(claim: Claim, values: Values, carried: Carried) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    found = []
    for scenario in claim.scenarios:
        for method in claim.methods:
            if claim.kind == CONSTANT:
                seeds = tuple(sorted(carried.get((scenario, method), {})))
            else:
                seeds = tuple(values.get((scenario, method, resolve(claim.metric, scenario, values)), {}))
            if seeds:
                found.append((scenario, method, seeds))
    return tuple(found)
