"""The wide form of a table: what Markdown, LaTeX, HTML and terminal all show, as plain text.

Renderers only place and escape these texts, so no format can say something another does not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from recollect.tables.cell_text import Row, delta_text, mean_text, published_texts
from recollect.tables.declaration import TableSpec, parse_declaration
from recollect.tables.footnotes import table_notes
from recollect.tables.metric_info import MetricInfo, metric_info

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """A column: the metric it belongs to (`group`, empty for seeds), a short and a full heading."""

    group: str
    head: str
    full: str
    kind: str


@dataclass(frozen=True)
class Section:
    """One scenario: rows of (label, cells), and notes `(a) ...` to its cells."""

    scenario: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A whole table: title, one section per scenario, notes that hold for all."""

    id: str
    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]


def make_layout(frame: "pd.DataFrame", declaration: Mapping[str, Any]) -> Layout:
    """Lay the tidy frame of `build_table` out by scenario, methods as rows and metrics as columns."""
    spec = parse_declaration(declaration)
    records = cast("list[Row]", frame.to_dict("records"))
    cells = {(row["scenario"], row["method"], row["metric"]): row for row in records}
    sections = tuple(_section(scenario, cells, spec) for scenario in spec.scenarios)
    return Layout(spec.id, spec.title, sections, table_notes(records, spec))


def wrap_columns(section: Section, width: int, gap: int = 2) -> list[Section]:
    """Split a section into blocks of columns that fit a width in characters, row labels repeated.

    Means come first, then published values, then differences, so that the first block is the result.
    """
    order = sorted(range(len(section.columns)), key=lambda i: _BLOCK_ORDER[section.columns[i].kind])
    label_width = max(len(label) for label, _ in section.rows)
    blocks: list[list[int]] = [[]]
    used = label_width
    for i in order:
        wide = gap + column_width(section, i)
        if blocks[-1] and used + wide > width:
            blocks.append([])
            used = label_width
        blocks[-1].append(i)
        used += wide
    return [_take(section, block) for block in blocks]


def column_width(section: Section, i: int) -> int:
    """Characters of the widest text in a column, its full heading included."""
    return max(len(section.columns[i].full), *(len(cells[i]) for _, cells in section.rows))


_BLOCK_ORDER = {"seeds": 0, "mean": 1, "published": 2, "delta": 3}


def _take(section: Section, block: list[int]) -> Section:
    rows = tuple((label, tuple(cells[i] for i in block)) for label, cells in section.rows)
    return replace(section, columns=tuple(section.columns[i] for i in block), rows=rows)


def _section(scenario: str, cells: dict[tuple[str, str, str], Row], spec: TableSpec) -> Section:
    published = {
        metric
        for metric in spec.metrics
        if not all(math.isnan(cells[scenario, method, metric]["published"]) for method in spec.methods)
    }
    columns = [Column("", "Seeds", "Seeds", "seeds")]
    for metric in spec.metrics:
        columns += _columns(metric_info(metric), metric in published, spec)
    notes: dict[str, str] = {}
    rows = []
    for method in spec.methods:
        mine = [cells[scenario, method, metric] for metric in spec.metrics]
        texts = [_seeds_text(mine)]
        for row in mine:
            texts += _texts(row, mine, row["metric"] in published, notes)
        rows.append((spec.label(method), tuple(texts)))
    written = tuple(f"({mark}) {text}" for text, mark in notes.items())
    return Section(scenario, tuple(columns), tuple(rows), written)


def _columns(info: MetricInfo, with_published: bool, spec: TableSpec) -> list[Column]:
    group = info.heading
    columns = [Column(group, "mean [interval]", group, "mean")]
    if with_published:
        columns.append(Column(group, "published", f"{info.label}, published", "published"))
        columns.append(Column(group, "difference", f"{info.label}, reproduced - published", "published"))
        columns.append(Column(group, "verdict", f"{info.label}, verdict", "published"))
    if spec.reference is not None:
        versus = f"vs {spec.label(spec.reference)}"
        columns.append(Column(group, f"Δ {versus}", f"Δ {info.label} {versus}", "delta"))
    return columns


def _texts(row: Row, mine: list[Row], with_published: bool, notes: dict[str, str]) -> list[str]:
    """The cells of one metric; a cell that is not whole gets a mark and a note."""
    text = mean_text(row)
    if 1 < row["n_seeds"] < _seeds_used(mine):
        text += f" (n={row['n_seeds']})"
    if row["reason"]:
        note = f"{row['label']}: {row['reason']}."
        text += f" ({_mark(notes, note)})"
    texts = [text]
    if with_published:
        texts += published_texts(row)
    if row["reference"]:
        texts.append(delta_text(row))
    return texts


def _mark(notes: dict[str, str], text: str) -> str:
    """Letter of a note: a, b, ..., z, aa, ab, ...; equal notes share one."""
    if text not in notes:
        number, mark = len(notes), ""
        while number >= 0:
            mark = chr(ord("a") + number % 26) + mark
            number = number // 26 - 1
        notes[text] = mark
    return notes[text]


def _seeds_used(mine: list[Row]) -> int:
    return max(int(row["n_seeds"]) for row in mine)


def _seeds_text(mine: list[Row]) -> str:
    used, planned = _seeds_used(mine), max(int(row["n_expected"]) for row in mine)
    return str(used) if used == planned else f"{used} of {planned}"
