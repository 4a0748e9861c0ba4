"""HTML: a self-contained page or fragment, light and dark, no address outside itself."""

from collections.abc import Mapping
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from recollect.tables.layout import Layout, Section, make_layout

if TYPE_CHECKING:
    import pandas as pd

CSS = """
.recollect { --ink: #1b1b1b; --soft: #555; --paper: #fff; --line: #c9c9c9; --band: #f3f5f7;
  color: var(--ink); background: var(--paper); font: 16px/1.45 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .recollect { --ink: #ececec; --soft: #b5b5b5; --paper: #16181b; --line: #4a4e54; --band: #20242a; } }
.recollect .scroll { overflow-x: auto; margin: 1rem 0; }
.recollect .scroll:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
.recollect table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.875rem; }
.recollect caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
.recollect th, .recollect td { padding: 0.3rem 0.7rem; text-align: right; white-space: nowrap; }
.recollect th[scope=row], .recollect thead th:first-child { text-align: left; }
.recollect thead th[scope=colgroup] { text-align: center; border-bottom: 1px solid var(--line); }
.recollect thead tr:first-child { border-top: 2px solid var(--ink); }
.recollect tbody { border-top: 1px solid var(--ink); border-bottom: 2px solid var(--ink); }
.recollect tbody th { font-weight: 500; }
.recollect tbody tr:nth-child(even) { background: var(--band); }
.recollect ul { color: var(--soft); font-size: 0.875rem; max-width: 75ch; padding-left: 1.2rem; }
"""


def to_html(frame: "pd.DataFrame", declaration: Mapping[str, Any]) -> str:
    """Render the tidy frame of `build_table` as a whole page."""
    layout = make_layout(frame, declaration)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(layout.title)}</title>\n"
        "<style>html { color-scheme: light dark; } body { margin: 0; } main { padding: 1rem;"
        f" min-height: 100vh; box-sizing: border-box; }}{CSS}</style>\n</head>\n"
        f'<body>\n<main class="recollect">\n{_body(layout)}</main>\n</body>\n</html>\n'
    )


def to_html_fragment(frame: "pd.DataFrame", declaration: Mapping[str, Any]) -> str:
    """Render the same as a `section` to set into another page; style it with `CSS`."""
    layout = make_layout(frame, declaration)
    return f'<section class="recollect" id="{escape(layout.id)}">\n{_body(layout)}</section>\n'


def _body(layout: Layout) -> str:
    parts = [f"<h1>{escape(layout.title)}</h1>\n"]
    for section in layout.sections:
        parts.append(_table(section))
        parts.append(_notes(section.notes))
    parts.append("<h2>Notes</h2>\n" + _notes(layout.notes))
    return "".join(parts)


def _notes(notes: tuple[str, ...]) -> str:
    return "<ul>\n" + "".join(f"<li>{escape(note)}</li>\n" for note in notes) + "</ul>\n" if notes else ""


def _table(section: Section) -> str:
    name = escape(section.scenario)
    rows = "".join(_row(label, cells) for label, cells in section.rows)
    return (
        f'<div class="scroll" role="region" aria-label="{name}" tabindex="0">\n<table>\n'
        f"<caption>{name}</caption>\n<thead>\n{_head(section)}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )


def _head(section: Section) -> str:
    """Two rows: metric names over their columns, then the columns."""
    upper, lower = ['<th scope="col" rowspan="2">Method</th>'], []
    for group, grouped in groupby(section.columns, key=lambda column: column.group):
        columns = list(grouped)
        if group:
            upper.append(f'<th scope="colgroup" colspan="{len(columns)}">{escape(group)}</th>')
            lower += [f'<th scope="col">{escape(column.head)}</th>' for column in columns]
        else:
            upper += [f'<th scope="col" rowspan="2">{escape(column.head)}</th>' for column in columns]
    return f"<tr>{''.join(upper)}</tr>\n<tr>{''.join(lower)}</tr>\n"


def _row(label: str, cells: tuple[str, ...]) -> str:
    body = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(label)}</th>{body}</tr>\n'
