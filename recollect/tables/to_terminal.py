"""Aligned plain text for a terminal, columns wrapped into blocks of at most 110 characters."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recollect.tables.layout import Section, column_width, make_layout, wrap_columns

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 110


def to_terminal(frame: "pd.DataFrame", declaration: Mapping[str, Any], *, width: int = WIDTH) -> str:
    """Render the tidy frame of `build_table` as plain text no wider than `width` where words allow."""
    layout = make_layout(frame, declaration)
    lines = [*_filled(layout.title, width), ""]
    for section in layout.sections:
        for block in wrap_columns(section, width):
            lines += [*_block(block), ""]
        for note in section.notes:
            lines += _filled(note, width)
        if section.notes:
            lines.append("")
    for note in layout.notes:
        lines += _filled(note, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _block(block: Section) -> list[str]:
    widths = [column_width(block, i) for i in range(len(block.columns))]
    label_width = max(len(block.scenario), *(len(label) for label, _ in block.rows))
    heads = [_line(block.scenario, [column.full for column in block.columns], label_width, widths)]
    if block.has_published:
        heads = [_line("", _once([column.group for column in block.columns]), label_width, widths)]
        heads.append(_line(block.scenario, [column.head for column in block.columns], label_width, widths))
    body = [_line(label, list(cells), label_width, widths) for label, cells in block.rows]
    return [*heads, "-" * len(heads[-1]), *body]


def _once(groups: list[str]) -> list[str]:
    """A group over its first column only."""
    return [group if i == 0 or groups[i - 1] != group else "" for i, group in enumerate(groups)]


def _line(label: str, cells: list[str], label_width: int, widths: list[int]) -> str:
    placed = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([label.ljust(label_width), *placed])


def _filled(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
