"""From groups of results to the text of one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from recollect.files import canonical_json
from recollect.report.claim_view import claim_views, outcome_counts
from recollect.report.claims import Outcome
from recollect.report.figure_view import data_uri, figure_views, results_in_words
from recollect.report.model import Group
from recollect.report.quality import Finding, in_order
from recollect.report.runs import Run, with_target
from recollect.report.statistics_view import Block
from recollect.report.table_view import cell_details, table_view, verdict_counts
from recollect.tables.cell_text import mean_text
from recollect.tables.columns import Row
from recollect.tables.metric_info import MetricInfo, metric_info

TEMPLATES = Path(__file__).parent / "templates"
MIME = {".csv": "text/csv", ".tex": "application/x-tex", ".md": "text/markdown"}
SIGNS: Mapping[str, str] = {
    "agrees": "✓", "within tolerance": "≈", "better": "▲", "worse": "▼", "cannot tell": "?", "ordering only": "↕",
    "not run": "–", "failed": "✕", "nothing published": "·", "holds": "✓", "fails": "✕", "cannot tell yet": "?",
    "error": "✕", "warning": "!", "note": "i",
}  # fmt: skip
"""Kinds are told apart without colour."""
CLAIMS_NOTE = (
    "What the papers say in words, tested on these runs at the 5 % level: paired t-tests over common seeds, "
    "Holm-adjusted over the parts of a claim; equality by two one-sided tests. How many more seeds would settle a "
    "claim supposes normal differences whose mean and spread are those seen so far."
)


@dataclass(frozen=True)
class RunGroup:
    """The runs of a method on a scenario."""

    name: str
    label: str
    scenario: str
    code: str
    train_s: float | None
    runs: Sequence[Run]


def render_page(
    title: str, groups: Sequence[Group], outcomes: Sequence[Outcome], statistics: Sequence[Block], *,
    how_to_run: str, footer: str,
) -> str:  # fmt: skip
    """The page as HTML text; the same input gives the same bytes.

    Args:
        title: of the page.
        groups: suites and their results.
        outcomes: tested claims.
        statistics: blocks of the statistics section.
        how_to_run: what to say where there is no result.
        footer: last line.
    """
    frames = [table.frame for group in groups for table in group.tables]
    labels = {method: label for group in groups for method, label in group.labels.items()}
    suites = {(run.scenario, run.method): group.name for group in reversed(groups) for run in group.runs}
    figures = _figures(groups, sum(len(figure.uri) * 3 // 4 for block in statistics for figure in block.figures))
    page: dict[str, Any] = {
        "title": title,
        "summary": _summary(groups, frames),
        "counts": verdict_counts(frames),
        "claim_counts": outcome_counts(outcomes) if outcomes else {},
        "findings": _findings(groups),
        "tables": [
            table_view(table.frame, table.declaration, table.downloads, group.name, table.notes)
            for group in groups
            for table in group.tables
        ],
        "claims": claim_views(outcomes, labels, suites),
        "claims_note": CLAIMS_NOTE,
        "statistics": statistics,
        "figures": figures,
        "runs": [one for group in groups for one in _run_groups(group)],
        "how_to_run": how_to_run,
        "footer": footer,
    }
    names = ("quality", "tables", "claims", "statistics", "figures", "runs")
    page["sections"] = [(n, n.capitalize()) for n in names if n in ("quality", "tables") or page[n]]
    data = script_json(_data(groups))
    parts = {name: (TEMPLATES / f"page.{name}").read_text() for name in ("css", "js")}
    return str(_template().render(page=page, data=data, **parts))


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {
        "slug": lambda text: text.replace(" ", "-"),
        "sign": lambda kind: SIGNS[kind],
        "data_uri": lambda text, name: data_uri(text.encode(), MIME[Path(name).suffix]),
    }
    return environment.get_template("page.html.j2")


def script_json(value: Any) -> str:
    """JSON that may stand in a script element: no sequence of it ends the element or opens a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _summary(groups: Sequence[Group], frames: Sequence[Any]) -> str:
    runs = sum(len(group.runs) for group in groups)
    done = sum(run.status == "ok" for group in groups for run in group.runs)
    cells = sum(len(frame) for frame in frames)
    tables = f"{len(frames)} table{'s' if len(frames) != 1 else ''}, {cells} cells"
    return (
        f"{tables}, {done} finished run{'s' if done != 1 else ''}" + (f" of {runs}" if runs != done else "") + "."
    )


def _findings(groups: Sequence[Group]) -> list[Finding]:
    """Of several suites each finding says which."""
    many = len(groups) > 1
    return in_order(
        Finding(found.grade, f"{group.name}: {found.where}" if many else found.where, found.what, found.todo)
        for group in groups
        for found in group.findings()
    )


def _figures(groups: Sequence[Group], taken: int) -> list[Any]:
    found = []
    for group in groups:
        if group.figures is not None:
            rows = [
                (row["scenario"], row["label"], mean_text(row))
                for table in group.tables[:1]
                for row in cast("list[Row]", table.frame.to_dict("records"))
                if row["metric"] == table.declaration["metrics"][0]
            ]
            found += figure_views(group.figures, results_in_words(rows), taken)
    return found


def _run_groups(group: Group) -> list[RunGroup]:
    found: dict[tuple[str, str], list[Run]] = {}
    for run in group.runs:
        found.setdefault((run.scenario, run.method), []).append(run)
    made = []
    for (scenario, method), runs in found.items():
        seconds = [run.train_s for run in runs if run.train_s is not None]
        mean = sum(seconds) / len(seconds) if seconds else None
        code = " ".join(dict.fromkeys(run.code for run in runs if run.code))
        made.append(RunGroup(group.name, group.labels.get(method, method), scenario, code, mean, runs))
    return made


def _data(groups: Sequence[Group]) -> dict[str, Any]:
    """What the script shows of cells and runs; settings and environments that runs share are there once."""
    shared: dict[str, int] = {}

    def place(value: Any) -> int:
        return shared.setdefault(canonical_json(value), len(shared))

    cells: dict[str, Any] = {}
    runs: dict[str, Any] = {}
    metrics: dict[str, MetricInfo] = {}
    for group in groups:
        for table in group.tables:
            cells |= cell_details(table.frame, f"{group.name}/{table.id}")
            metrics |= {name: metric_info(name) for name in table.declaration["metrics"]}
        for run in group.runs:
            runs["/".join((group.name, *map(str, run.key)))] = [
                run.status, run.reason, place(run.settings), place(run.scenario_settings), place(run.environment),
                run.code, run.split, list(run.data), run.train_s,
            ]  # fmt: skip
    about = {
        name: {"label": info.heading, "definition": info.definition, "unit": info.unit}
        for name, info in metrics.items()
    }
    commands = {group.name: with_target(group.command) for group in groups}
    listed = [json.loads(text) for text in shared]
    return {"cells": cells, "runs": runs, "shared": listed, "metrics": about, "commands": commands}
