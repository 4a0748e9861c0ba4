"""Two result sets cell by cell: what changed beyond noise.

With common seeds the paired t-test decides, else Welch's; p is Holm-adjusted over all cells that were tested.
Values that are equal bit for bit are identical. What is not shown to have changed is not thereby shown to be
the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recollect.errors import RecollectError
from recollect.report.statistics import COSTS
from recollect.report.values import CellKey, Values
from recollect.stats.holm import holm
from recollect.stats.intervals import t_interval
from recollect.tables.metric_info import metric_info

IDENTICAL, CHANGED, NOISE = "identical", "changed", "no change shown"
ONE_SEED, ONLY_A, ONLY_B, COST = "differs, too few seeds to judge", "only in A", "only in B", "cost"
KINDS = (CHANGED, ONLY_A, ONLY_B, ONE_SEED, NOISE, IDENTICAL, COST)
ALPHA = 0.05


@dataclass(frozen=True)
class CellDifference:
    """One cell of A and B, in the unit of the data. p is adjusted; NaN where there was no test."""

    key: CellKey
    kind: str
    a: float
    b: float
    n_a: int
    n_b: int
    p: float = math.nan

    @property
    def words(self) -> str:
        """The cell in one line."""
        where = " / ".join(self.key)
        try:
            show = metric_info(self.key[2]).show
        except RecollectError:
            show = "{:g}".format  # type: ignore[assignment]
        both = not math.isnan(self.a) and not math.isnan(self.b)
        a, b = ("-" if math.isnan(x) else show(x) for x in (self.a, self.b))
        p = "" if math.isnan(self.p) else f", p {'< 0.001' if self.p < 0.001 else f'= {self.p:.3f}'}"
        seeds = f"{self.n_a}" if self.n_a == self.n_b else f"{self.n_a} and {self.n_b}"
        return f"{self.kind}: {where}: {a} -> {b}" + (f" ({seeds} seeds{p})" if both else "")


def compare_results(a: Values, b: Values) -> list[CellDifference]:
    """Every cell of either set, what changed first; costs depend on the machine and are not judged."""
    raw = [_cell(key, a.get(key, {}), b.get(key, {})) for key in dict.fromkeys([*a, *b])]
    tested = [i for i, cell in enumerate(raw) if not math.isnan(cell.p)]
    for i, p in zip(tested, holm([raw[i].p for i in tested]), strict=True):
        raw[i] = replace(raw[i], p=float(p), kind=CHANGED if p < ALPHA else NOISE)
    return sorted(raw, key=lambda cell: KINDS.index(cell.kind))


def counts(cells: list[CellDifference]) -> dict[str, int]:
    """Kind -> cells."""
    found = Counter(cell.kind for cell in cells)
    return {kind: found[kind] for kind in KINDS if found[kind]}


def _cell(key: CellKey, a: Mapping[int, float], b: Mapping[int, float]) -> CellDifference:
    x, y = np.array(list(a.values())), np.array(list(b.values()))
    mean_a, mean_b = (float(v.mean()) if len(v) else math.nan for v in (x, y))
    found = CellDifference(key, IDENTICAL, mean_a, mean_b, len(x), len(y))
    if not len(x) or not len(y):
        return replace(found, kind=ONLY_B if not len(x) else ONLY_A)
    if dict(a) == dict(b):
        return found
    if key[2].partition("@")[0] in COSTS:
        return replace(found, kind=COST)
    common = sorted(set(a) & set(b))
    p = _paired([a[k] - b[k] for k in common]) if len(common) > 1 else _welch(x, y)
    return replace(found, kind=ONE_SEED, p=p)


def _paired(differences: list[float]) -> float:
    """p of the paired t-test; the same change in every seed is no chance."""
    p = t_interval(differences)[3]
    return (1.0 if np.mean(differences) == 0 else 0.0) if math.isnan(p) else p


def _welch(x: np.ndarray, y: np.ndarray) -> float:
    """Two-sided p of Welch's t-test; NaN where a side has one value."""
    if min(len(x), len(y)) < 2:
        return math.nan
    u, v = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if u + v == 0:
        return 1.0 if x.mean() == y.mean() else 0.0
    from scipy.special import stdtr

    df = (u + v) ** 2 / (u**2 / (len(x) - 1) + v**2 / (len(y) - 1))
    return float(2 * stdtr(df, -abs(x.mean() - y.mean()) / math.sqrt(u + v)))
