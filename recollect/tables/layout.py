"""The wide form of a table: what Markdown, LaTeX, HTML and terminal all show, as plain text.

Renderers only place and escape these texts, so no format can say something another does not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from recollect.tables.cell_text import NOTHING, delta_text, difference_text, mean_text, published_text
from recollect.tables.columns import Row
from recollect.tables.declaration import TableSpec, parse_declaration
from recollect.tables.footnotes import table_notes
from recollect.tables.metric_info import MetricInfo, metric_info

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """A column: the metric it belongs to (`group`, empty for seeds), a short and a full heading.

    metric and field name the cell of the tidy frame that it shows.
    """

    group: str
    head: str
    full: str
    kind: str
    metric: str = ""
    field: str = "n_seeds"


@dataclass(frozen=True)
class Section:
    """One scenario: rows of (label, cells), and notes `(a) ...` to its cells.

    has_published: whether metrics have several columns, and headings therefore two lines. methods: ours, by row.
    """

    scenario: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    has_published: bool = False
    methods: tuple[str, ...] = ()


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

    Means and published values come first, then differences to the reference, so that the first block is the
    result. What belongs to one metric stays in one block where it fits.
    """
    label_width = max(len(label) for label, _ in section.rows)
    blocks: list[list[int]] = [[]]
    used, was_split = label_width, False
    for together in _groups(section):
        wide = [gap + column_width(section, i) for i in together]
        fits_alone = label_width + sum(wide) <= width
        starts_block = was_split or (fits_alone and used + sum(wide) > width)
        for i, wide_i in zip(together, wide, strict=True):
            if blocks[-1] and (starts_block or used + wide_i > width):
                blocks.append([])
                used = label_width
            starts_block = False
            blocks[-1].append(i)
            used += wide_i
        was_split = not fits_alone
    return [_take(section, block) for block in blocks]


def _groups(section: Section) -> list[list[int]]:
    """Columns that belong together: those of a metric, but for differences to the reference, which come last."""
    kinds = [(column.kind == "delta", column.group) for column in section.columns]
    order = sorted(range(len(kinds)), key=lambda i: kinds[i][0])
    return [list(together) for _, together in groupby(order, key=lambda i: kinds[i])]


def column_width(section: Section, i: int) -> int:
    """Characters of the widest text in a column, its heading included."""
    column = section.columns[i]
    heads = (column.group, column.head) if section.has_published else (column.full,)
    return max(*map(len, heads), *(len(cells[i]) for _, cells in section.rows), 0)


def _take(section: Section, block: list[int]) -> Section:
    rows = tuple((label, tuple(cells[i] for i in block)) for label, cells in section.rows)
    return replace(section, columns=tuple(section.columns[i] for i in block), rows=rows)


def _section(scenario: str, cells: dict[tuple[str, str, str], Row], spec: TableSpec) -> Section:
    methods = list(dict.fromkeys(method for where, method, _ in cells if where == scenario))
    published = {
        metric
        for metric in spec.metrics
        if not all(math.isnan(cells[scenario, method, metric]["published"]) for method in methods)
    }
    columns = [Column("", "Seeds", "Seeds", "seeds")]
    for metric in spec.metrics:
        columns += _columns(metric_info(metric), metric in published, spec)
    notes: dict[str, str] = {}
    rows = []
    for method in methods:
        mine = [cells[scenario, method, metric] for metric in spec.metrics]
        texts = [_seeds_text(mine)]
        for row in mine:
            texts += _texts(row, mine, row["metric"] in published, notes)
        rows.append((mine[0]["label"], tuple(texts)))
    written = tuple(f"({mark}) {text}" for text, mark in notes.items())
    return Section(scenario, tuple(columns), tuple(rows), written, bool(published), tuple(methods))


def _columns(info: MetricInfo, with_published: bool, spec: TableSpec) -> list[Column]:
    def column(head: str, full: str, kind: str, field: str) -> Column:
        return Column(info.heading, head, full, kind, info.name, field)

    columns = [column("mean [interval]", info.heading, "mean", "mean")]
    if with_published:
        columns = [
            column("published", f"{info.label}, published", "published", "published"),
            column("reproduced [interval]", f"{info.heading}, reproduced", "mean", "mean"),
            column("difference", f"{info.label}, difference", "published", "difference"),
            column("verdict", f"{info.label}, verdict", "published", "verdict_kind"),
        ]
    if spec.reference is not None:
        versus = f"vs {spec.label(spec.reference)}"
        columns.append(column(f"Δ {versus}", f"Δ {info.label} {versus}", "delta", "diff_ref"))
    return columns


def _texts(row: Row, mine: list[Row], with_published: bool, notes: dict[str, str]) -> list[str]:
    """The cells of one metric; one that is not whole or needs explaining gets a mark and a note."""
    mean = mean_text(row)
    if 1 < row["n_seeds"] < _seeds_used(mine):
        mean += f" (n={row['n_seeds']})"
    parts = [(mean, row["reason"])]
    if with_published:
        parts = [
            (published_text(row), row["published_note"]),
            *parts,
            (difference_text(row), ""),
            (row["verdict"], row["verdict_note"]),
        ]
    if row["reference"]:
        parts.append((delta_text(row), ""))
    return [_marked(text, note, str(row["label"]), notes) for text, note in parts]


def _marked(text: str, note: str, label: str, notes: dict[str, str]) -> str:
    return f"{text} ({_mark(notes, f'{label}: {note}.')})" if note else text


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
    if used == planned == 0:
        return NOTHING
    return str(used) if used == planned else f"{used} of {planned}"
