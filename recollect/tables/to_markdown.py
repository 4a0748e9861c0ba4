"""Markdown (GitHub tables): methods as rows, one table per scenario."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recollect.tables.layout import Section, make_layout

if TYPE_CHECKING:
    import pandas as pd


def to_markdown(frame: "pd.DataFrame", declaration: Mapping[str, Any]) -> str:
    """Render the tidy frame of `build_table` as Markdown."""
    layout = make_layout(frame, declaration)
    lines = [f"# {escape(layout.title)}", ""]
    for section in layout.sections:
        lines += [f"## {escape(section.scenario)}", "", *_table(section), ""]
        if section.notes:
            lines += [*(f"- {escape(note)}" for note in section.notes), ""]
    lines += ["## Notes", "", *(f"- {escape(note)}" for note in layout.notes)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Escape what Markdown would take as markup; underscores only where they could start emphasis."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    text = re.sub(r"([\\|*`~])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def _table(section: Section) -> list[str]:
    heads = ["Method", *(escape(column.full) for column in section.columns)]
    lines = [_line(heads), _line([":---", *("---:" for _ in section.columns)])]
    return lines + [_line([escape(label), *map(escape, cells)]) for label, cells in section.rows]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
