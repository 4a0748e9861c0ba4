"""What the page says of claims."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recollect.config.claims import CONSTANT, EQUALS
from recollect.report.claims import CANNOT_TELL, FAILS, HOLDS, Outcome, Part
from recollect.tables.metric_info import metric_info


@dataclass(frozen=True)
class ClaimView:
    """A claim; parts: (scenario, what, result, outcome, words), runs: (suite, scenario, method, seeds)."""

    id: str
    paper: str
    says: str
    source: str
    outcome: str
    why: str
    more: str
    parts: Sequence[tuple[str, str, str, str, str]]
    runs: Sequence[tuple[str, str, str, tuple[int, ...]]]


def claim_views(
    outcomes: Sequence[Outcome], labels: Mapping[str, str], suites: Mapping[tuple[str, str], str]
) -> list[ClaimView]:
    """Claims in the order in which they are declared.

    Args:
        outcomes: the tested claims.
        labels: method -> the name that tables use.
        suites: (scenario, method) -> the suite that has its runs.
    """
    return [_view(outcome, labels, suites) for outcome in outcomes]


def outcome_counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Outcome -> claims."""
    counts = Counter(one.outcome for one in outcomes)
    return {outcome: counts[outcome] for outcome in (HOLDS, FAILS, CANNOT_TELL)}


def _view(found: Outcome, labels: Mapping[str, str], suites: Mapping[tuple[str, str], str]) -> ClaimView:
    more = ""
    if found.outcome == CANNOT_TELL and found.more_seeds is not None:
        more = f"about {found.more_seeds} more seed{'s' if found.more_seeds > 1 else ''} would settle it"
    parts = [
        (part.scenario, _named(part.what, labels), result_text(found.claim.kind, part), part.outcome, part.why)
        for part in found.parts
    ]
    runs = [(suites.get((s, m), ""), s, m, seeds) for s, m, seeds in found.runs]
    claim = found.claim
    return ClaimView(claim.id, claim.paper, claim.says, claim.source, found.outcome, found.why, more, parts, runs)


def _named(what: str, labels: Mapping[str, str]) -> str:
    return " ".join(labels.get(word, word) for word in what.split(" "))


def result_text(kind: str, part: Part) -> str:
    """Estimate, interval, p and number of seeds of one part."""
    if kind == CONSTANT or not part.n or not part.metric:
        return ""
    info = metric_info(part.metric)
    sign = kind != EQUALS or " minus " in part.what
    text = info.show(part.estimate, sign=sign)
    unit = " points" if info.unit == "%" else f" {info.unit}" if info.unit else ""
    if not math.isnan(part.low):
        text += f" [{info.show(part.low, sign=sign)}, {info.show(part.high, sign=sign)}]"
    p = "" if math.isnan(part.p) else f", p {'< 0.001' if part.p < 0.001 else f'= {part.p:.3f}'}"
    return f"{text}{unit}{p}, {part.n} seed{'s' if part.n > 1 else ''}"
