"""Statistics over methods and scenarios: paired differences, ranks, costs against results, bounds by controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from recollect.report.controls import control_values
from recollect.report.values import CellKey, Values
from recollect.stats.holm import holm
from recollect.stats.intervals import t_interval
from recollect.stats.pareto import pareto_front
from recollect.stats.power import seeds_needed
from recollect.stats.ranks import FEWEST_SCENARIOS, Ranks, critical_difference, mean_ranks
from recollect.tables.metric_info import METRICS, metric_info

COSTS = ("device_s", "wall_s", "carried_bytes", "vram_mb", "ram_mb", "parameters", "it_per_s")
COMPUTE = ("device_s", "wall_s")
MEMORY = "carried_bytes"
ALPHA = 0.05


@dataclass(frozen=True)
class Pair:
    """Method a minus method b over common seeds, with t interval and Holm-adjusted p; unit of the data.

    more_seeds: to find this difference with 80 % power; None where it is found already, or cannot be said.
    """

    scenario: str
    metric: str
    a: str
    b: str
    n: int
    diff: float
    low: float
    high: float
    p_holm: float
    more_seeds: int | None


@dataclass(frozen=True)
class RankTable:
    """Mean ranks on one metric, best first; critical_difference is NaN where there are too few scenarios."""

    metric: str
    methods: tuple[str, ...]
    mean: tuple[float, ...]
    n: int
    p_friedman: float
    critical_difference: float


@dataclass(frozen=True)
class CostRow:
    """Mean result and costs of a method on a scenario, and on which fronts it lies (no other beats it in both)."""

    scenario: str
    method: str
    metric: str
    result: float
    compute: float
    memory: float
    on_compute_front: bool
    on_memory_front: bool


@dataclass(frozen=True)
class Bounds:
    """What controls reach on a metric of a scenario, and what the methods reach, in the unit of the data."""

    scenario: str
    metric: str
    controls: Mapping[str, float]
    lowest: float
    highest: float


def main_metrics(metrics: Sequence[Sequence[str]]) -> list[str]:
    """The first metric of every table that is no cost, once."""
    firsts = [next((name for name in names if name not in COSTS), None) for names in metrics]
    return list(dict.fromkeys(name for name in firsts if name))


def paired_differences(values: Values, metrics: Sequence[str]) -> list[Pair]:
    """All pairs of methods on every scenario and metric; Holm within scenario and metric."""
    found = []
    for scenario, metric in dict.fromkeys((key[0], key[2]) for key in values if key[2] in metrics):
        methods = [key[1] for key in values if key[0] == scenario and key[2] == metric]
        raw = [_pair(values, scenario, metric, a, b) for a, b in combinations(methods, 2)]
        adjusted = holm([p for _, p, _ in raw])
        for (pair, _, std), p in zip(raw, adjusted, strict=True):
            decided = not p >= ALPHA if not math.isnan(p) else False
            needed = None if decided else seeds_needed(pair.diff, std, alpha=ALPHA / len(raw))
            more = None if needed is None or pair.n < 2 else max(1, needed - pair.n)
            found.append(
                Pair(scenario, metric, pair.a, pair.b, pair.n, pair.diff, pair.low, pair.high, float(p), more)
            )
    return found


def _pair(values: Values, scenario: str, metric: str, a: str, b: str) -> tuple[Pair, float, float]:
    ours, theirs = values[scenario, a, metric], values[scenario, b, metric]
    x = [ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))]
    mean, low, high, p = t_interval(x)
    std = float(np.std(x, ddof=1)) if len(x) > 1 else math.nan
    return Pair(scenario, metric, a, b, len(x), mean, low, high, math.nan, None), p, std


def rank_tables(values: Values, metrics: Sequence[str]) -> list[RankTable]:
    """Ranks of the methods that have a value on every scenario of a metric; extractors count as one metric here.

    Ranks are taken within a scenario, so that its extractor does not matter.
    """
    found = []
    for base in dict.fromkeys(metric.partition("@")[0] for metric in metrics):
        means = {(k[0], k[1]): float(np.mean(list(v.values()))) for k, v in values.items() if _base(k) == base}
        scenarios, methods = list(dict.fromkeys(k[0] for k in means)), list(dict.fromkeys(k[1] for k in means))
        everywhere = [m for m in methods if all((s, m) in means for s in scenarios)]
        if len(everywhere) < 2:
            continue
        matrix = np.array([[means[s, m] for m in everywhere] for s in scenarios])
        example = next(key[2] for key in values if _base(key) == base)
        ranks = mean_ranks(matrix, metric_info(example).direction == "up")
        found.append(_rank_table(base, everywhere, ranks))
    return found


def _base(key: CellKey) -> str:
    return key[2].partition("@")[0]


def _rank_table(base: str, methods: Sequence[str], ranks: Ranks) -> RankTable:
    order = np.argsort(ranks.mean, kind="stable")
    enough = ranks.n >= FEWEST_SCENARIOS
    distance = critical_difference(len(methods), ranks.n) if enough else math.nan
    names, means = tuple(methods[i] for i in order), tuple(float(ranks.mean[i]) for i in order)
    return RankTable(base, names, means, ranks.n, ranks.p_friedman, distance)


def cost_rows(values: Values, metrics: Sequence[str]) -> list[CostRow]:
    """Result against compute and memory, one row per method, scenario and metric."""
    means = {key: float(np.mean(list(per_seed.values()))) for key, per_seed in values.items()}
    compute = next((name for name in COMPUTE if any(key[2] == name for key in means)), COMPUTE[0])
    rows = []
    for scenario, metric in dict.fromkeys((key[0], key[2]) for key in means if key[2] in metrics):
        methods = [key[1] for key in means if key[0] == scenario and key[2] == metric]
        result = [means[scenario, m, metric] for m in methods]
        seconds = [means.get((scenario, m, compute), math.nan) for m in methods]
        memory = [means.get((scenario, m, MEMORY), math.nan) for m in methods]
        gain = np.array(result) if metric_info(metric).direction == "up" else -np.array(result)
        fronts = pareto_front(seconds, gain), pareto_front(memory, gain)
        columns = zip(methods, result, seconds, memory, *fronts, strict=True)
        rows += [CostRow(scenario, m, metric, r, s, b, bool(x), bool(y)) for m, r, s, b, x, y in columns]
    return rows


def bounds(values: Values, sizes: Mapping[str, tuple[int, int]]) -> list[Bounds]:
    """What controls reach beside what the methods do, for metrics of accuracy.

    Args:
        values: per seed.
        sizes: scenario -> (number of tasks, number of classes).
    """
    found = []
    for scenario, (n_tasks, n_classes) in sizes.items():
        controls = control_values(n_tasks, n_classes)
        known = next(iter(controls.values()))
        for metric in [name for name in METRICS if name in known]:
            mine = [
                float(np.mean(list(v.values()))) for k, v in values.items() if k[0] == scenario and k[2] == metric
            ]
            if mine:
                reached = {name: one[metric] for name, one in controls.items()}
                found.append(Bounds(scenario, metric, reached, min(mine), max(mine)))
    return found
