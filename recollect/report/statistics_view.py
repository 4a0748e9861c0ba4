"""The statistics section of the page: blocks of words, sortable rows and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recollect.report.figure_view import FigureView, embedded
from recollect.report.statistics import (
    Bounds,
    CostRow,
    Pair,
    RankTable,
    bounds,
    cost_rows,
    paired_differences,
    rank_tables,
)
from recollect.report.values import Values
from recollect.stats.ranks import FEWEST_SCENARIOS
from recollect.tables.metric_info import METRICS, metric_info

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TextAndSort = tuple[str, str]
Drawn = Callable[[str, object, "Callable[[], Figure]"], Mapping[str, bytes]]
"""Keeps a figure under a name, drawn only if what it shows has changed, and returns its bytes by format."""


@dataclass(frozen=True)
class Block:
    """Title, words, a table of (text, sort key) cells whose first `words` columns are text, and figures."""

    title: str
    text: str
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[TextAndSort]] = ()
    words: int = 1
    figures: Sequence[FigureView] = field(default_factory=tuple)


def statistics_blocks(
    values: Values, metrics: Sequence[str], sizes: Mapping[str, tuple[int, int]], labels: Mapping[str, str],
    draw: Drawn, share: int,
) -> list[Block]:  # fmt: skip
    """All blocks of a suite; those without data are left out.

    Args:
        values: per seed.
        metrics: main metrics, see `main_metrics`.
        sizes: scenario -> (tasks, classes), of those whose methods answer.
        labels: method -> name.
        draw: keeps a figure.
        share: bytes that one figure may take in the page.
    """
    made = [
        _pairs(paired_differences(values, metrics), labels),
        *(_ranks(table, labels, draw, share) for table in rank_tables(values, metrics)),
        _costs(cost_rows(values, metrics), labels, draw, share),
        _bounds(bounds(values, sizes)),
    ]
    return [block for block in made if block is not None]


def _number(text: str, value: float) -> TextAndSort:
    return ("-", "") if math.isnan(value) else (text, repr(value))


def _p(p: float) -> TextAndSort:
    return _number("< 0.001" if p < 0.001 else f"{p:.3f}", p)


def _pairs(pairs: Sequence[Pair], labels: Mapping[str, str]) -> Block | None:
    if not pairs:
        return None
    rows = [_pair_row(pair, labels) for pair in pairs]
    text = (
        "Every pair of methods, first minus second, over common seeds: Student's t interval (95 %), paired t-test,"
        " Holm-adjusted over all pairs of the same scenario and metric. More seeds: how many further ones would"
        " find the difference with 80 % power, were it and its spread as seen so far: a rough guess."
    )
    heads = ("Pair", "Scenario", "Metric", "Seeds", "Difference", "95 % interval", "p (Holm)", "More seeds")
    return Block("Paired differences", text, heads, rows, 3)


def _pair_row(pair: Pair, labels: Mapping[str, str]) -> list[TextAndSort]:
    info = metric_info(pair.metric)
    interval = (
        "" if math.isnan(pair.low) else f"[{info.show(pair.low, sign=True)}, {info.show(pair.high, sign=True)}]"
    )
    more = ("-", "") if pair.more_seeds is None else (str(pair.more_seeds), str(pair.more_seeds))
    return [
        (f"{labels.get(pair.a, pair.a)} - {labels.get(pair.b, pair.b)}", ""),
        (pair.scenario, ""),
        (info.heading, ""),
        (str(pair.n), str(pair.n)),
        _number(info.show(pair.diff, sign=True), pair.diff),
        _number(interval or "-", pair.low),
        _p(pair.p_holm),
        more,
    ]


def _ranks(table: RankTable, labels: Mapping[str, str], draw: Drawn, share: int) -> Block:
    enough = table.n >= FEWEST_SCENARIOS
    text = (
        f"Mean rank over N = {table.n} scenario{'s' if table.n > 1 else ''} (1 is best), of methods that all have."
    )
    if enough and not math.isnan(table.p_friedman):
        text += f" Friedman's test (Iman & Davenport): p {_p(table.p_friedman)[0]}."
    if not enough:
        text += (
            f" A critical-difference diagram needs at least {FEWEST_SCENARIOS} scenarios, so there is none: mean"
            " ranks over so few say little."
        )
    rows = [
        [(labels.get(method, method), ""), _number(f"{rank:.2f}", rank)]
        for method, rank in zip(table.methods, table.mean, strict=True)
    ]
    figures = [_critical(table, labels, draw, share)] if enough else []
    return Block(f"Ranks: {_name(table.metric)}", text, ("Method", "Mean rank"), rows, 1, figures)


def _name(base: str) -> str:
    return metric_info(base if base in METRICS else f"{base}@any").label


def _critical(table: RankTable, labels: Mapping[str, str], draw: Drawn, share: int) -> FigureView:
    from recollect.figures.trade_offs import critical_differences

    names = dict(labels)
    shown = (table, [names.get(method) for method in table.methods])
    files = draw(f"critical_difference-{table.metric}", shown, lambda: critical_differences(table, names))
    ranks = "; ".join(f"{labels.get(m, m)} {r:.2f}" for m, r in zip(table.methods, table.mean, strict=True))
    alt = f"Mean ranks over {table.n} scenarios, critical difference {table.critical_difference:.2f}: {ranks}."
    uri = embedded(files.get("svg"), files.get("png"), share)
    return FigureView(
        uri, alt, f"Critical-difference diagram, N = {table.n} scenarios (Demšar 2006, Nemenyi's test)"
    )


def _costs(rows: Sequence[CostRow], labels: Mapping[str, str], draw: Drawn, share: int) -> Block | None:
    known = [row for row in rows if math.isfinite(row.compute) or math.isfinite(row.memory)]
    if not known:
        return None
    text = (
        "Result against training time and against bytes carried from task to task, means over seeds. A method is"
        " on the front where no other one is at least as good in both and better in one. Joint and cumulative"
        " training carry no bytes, but are given all data again."
    )
    heads = ("Method", "Scenario", "Result", "Training (s)", "Time front", "Carried (bytes)", "Memory front")
    cells = []
    for row in known:
        info = metric_info(row.metric)
        cells.append(
            [
                (labels.get(row.method, row.method), ""),
                (row.scenario, ""),
                _number(f"{info.show(row.result)} {info.unit}".strip(), row.result),
                _number(f"{row.compute:.1f}", row.compute),
                ("on front" if row.on_compute_front else "", str(int(row.on_compute_front))),
                _number(f"{row.memory:,.0f}", row.memory),
                ("on front" if row.on_memory_front else "", str(int(row.on_memory_front))),
            ]
        )
    figures = []
    for scenario, metric in dict.fromkeys((row.scenario, row.metric) for row in known):
        mine = [row for row in known if (row.scenario, row.metric) == (scenario, metric)]
        figures.append(_trade_offs(mine, labels, draw, share))
    return Block("Results against cost", text, heads, cells, 2, figures)


def _trade_offs(rows: Sequence[CostRow], labels: Mapping[str, str], draw: Drawn, share: int) -> FigureView:
    from recollect.figures.trade_offs import trade_offs

    info = metric_info(rows[0].metric)
    scenario, name = rows[0].scenario, rows[0].metric.replace("@", "_")
    names = dict(labels)
    shown = (rows, [names.get(row.method) for row in rows])
    files = draw(f"cost-{scenario}-{name}", shown, lambda: trade_offs(rows, names))
    front = [labels.get(row.method, row.method) for row in rows if row.on_compute_front]
    cheap = [labels.get(row.method, row.method) for row in rows if row.on_memory_front]
    alt = (
        f"{info.label} on {scenario} against training time and memory. On the front of time: {', '.join(front)}."
        f" On the front of memory: {', '.join(cheap)}."
    )
    uri = embedded(files.get("svg"), files.get("png"), share)
    return FigureView(uri, alt, f"{info.label} against cost: {scenario}. Dashed: the front.")


def _bounds(found: Sequence[Bounds]) -> Block | None:
    if not found:
        return None
    names = list(found[0].controls)
    rows = []
    for one in found:
        info = metric_info(one.metric)
        controls = [_number(info.show(one.controls[name]), one.controls[name]) for name in names]
        reached = f"{info.show(one.lowest)} to {info.show(one.highest)}"
        rows.append([(one.metric, ""), (one.scenario, ""), *controls, (reached, repr(one.highest))])
    text = (
        "What controls reach, in the unit of the tables: an oracle, a guesser among all classes, and a method that"
        " knows only the current task. A metric on which two of them tie says nothing about that difference:"
        " guessing forgets nothing."
    )
    return Block("Controls", text, ("Metric", "Scenario", *names, "Methods here"), rows, 2)
