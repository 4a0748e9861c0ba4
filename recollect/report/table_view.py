"""What the page shows of a table: the texts of its layout, with what sorts them and where they lead."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from recollect.tables.columns import Row
from recollect.tables.layout import Column, Section, make_layout
from recollect.tables.metric_info import metric_info
from recollect.tables.verdict import FAILED, KINDS, NOT_RUN

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CellView:
    """Text, what it is sorted by (empty: last), the kind of its verdict, and the key of its details."""

    text: str
    sort: str = ""
    kind: str = ""
    key: str = ""


@dataclass(frozen=True)
class SectionView:
    """One scenario: column groups (name, number of columns), columns and rows of (label, cells)."""

    scenario: str
    groups: Sequence[tuple[str, int]]
    columns: Sequence[Column]
    rows: Sequence[tuple[str, Sequence[CellView]]]
    notes: Sequence[str]


@dataclass(frozen=True)
class TableView:
    """A table with its counts of verdicts and the texts that can be downloaded."""

    id: str
    title: str
    sections: Sequence[SectionView]
    notes: Sequence[str]
    counts: Mapping[str, int]
    downloads: Mapping[str, str]


def table_view(
    frame: pd.DataFrame, declaration: Mapping[str, Any], downloads: Mapping[str, str], group: str,
    notes: Sequence[str] | None = None,
) -> TableView:  # fmt: skip
    """The view of a table.

    Args:
        frame: the tidy frame of `build_table`.
        declaration: the table's declaration.
        downloads: file name -> text.
        group: the suite.
        notes: in place of those that the frame gives.
    """
    layout = make_layout(frame, declaration)
    rows = {(r["scenario"], r["method"], r["metric"]): r for r in cast("list[Row]", frame.to_dict("records"))}
    sections = [_section(f"{group}/{layout.id}", section, rows) for section in layout.sections]
    said = layout.notes if notes is None else notes
    return TableView(layout.id, layout.title, sections, said, verdict_counts([frame]), downloads)


def verdict_counts(frames: Sequence[pd.DataFrame]) -> dict[str, int]:
    """Kind of verdict -> cells, in the order of `KINDS`; kinds without a cell are left out."""
    counts = Counter(kind for frame in frames for kind in frame["verdict_kind"])
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _section(table: str, section: Section, rows: Mapping[tuple[str, str, str], Row]) -> SectionView:
    shown = []
    for method, (label, texts) in zip(section.methods, section.rows, strict=True):
        cells = [
            _cell(table, section.scenario, method, column, text, rows)
            for column, text in zip(section.columns, texts, strict=True)
        ]
        shown.append((label, cells))
    groups = [
        (name, len(list(columns))) for name, columns in groupby(section.columns, key=lambda column: column.group)
    ]
    return SectionView(section.scenario, groups, section.columns, shown, section.notes)


def _cell(
    table: str, scenario: str, method: str, column: Column, text: str, rows: Mapping[tuple[str, str, str], Row]
) -> CellView:
    if not column.metric:
        return CellView(text, text.split(" ")[0] if text[:1].isdigit() else "")
    row = rows[scenario, method, column.metric]
    key = "/".join((table, scenario, method, column.metric)) if column.kind == "mean" else ""
    if column.field == "verdict_kind":
        kind = row["verdict_kind"]
        return CellView(kind if kind in (FAILED, NOT_RUN) else text, str(KINDS.index(kind)), kind)
    value = row[column.field]
    return CellView(text, "" if math.isnan(value) else repr(float(value)), "", key)


def cell_details(frame: pd.DataFrame, table: str) -> dict[str, dict[str, Any]]:
    """Key of a cell -> what the page says of it when asked; `table` is `<suite>/<table>`."""
    return {
        f"{table}/{r['scenario']}/{r['method']}/{r['metric']}": _details(r)
        for r in cast("list[Row]", frame.to_dict("records"))
    }


def _details(row: Mapping[str, Any]) -> dict[str, Any]:
    info = metric_info(row["metric"])
    facts = {
        "label": row["label"],
        "seeds": [[seed, info.show(value)] for seed, value in zip(row["seeds"], row["values"], strict=True)],
        "status": row["status"],
        "reason": row["reason"],
        "planned": int(row["n_expected"]),
        "std": _shown(info.show, row["std"]),
        "published": _shown(info.show, row["published"]),
        "publishedAs": row["published_as"],
        "source": row["published_source"],
        "note": "; ".join(text for text in (row["published_note"], row["verdict_note"]) if text),
        "verdict": row["verdict"] if row["verdict_kind"] not in (FAILED, NOT_RUN) else "",
        "kind": row["verdict_kind"],
        "tost": equivalence_text(row["p_tost"]),
    }
    # Empty facts are most of them and need not be sent.
    return {name: value for name, value in facts.items() if value not in ("", [], None)}


def equivalence_text(p: float) -> str:
    """What the test of equivalence says; empty where there was none."""
    if math.isnan(p):
        return ""
    shown = f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}, TOST"
    return f"equivalence within the tolerance is {'shown' if p < 0.05 else 'not shown'} ({shown})"


def _shown(show: Any, value: float) -> str:
    return "" if math.isnan(value) else show(value)
