r"""LaTeX with booktabs: one `table` environment per scenario, more where one page is not enough.

Needs `\usepackage{booktabs}` and nothing else. Columns are wrapped into blocks that fit the text
width of a one-column article at footnote size.
"""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from recollect.tables.layout import Layout, Section, make_layout, wrap_columns

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 84  # characters of 8 pt Computer Modern in a 345 pt line, columns 6 pt apart
PAGE_LINES = 50  # lines of footnote size that fit a page of a 10 pt article below a caption

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "[": "{[}",
    "]": "{]}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "`": r"\textasciigrave{}",
    "Δ": r"$\Delta$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "α": r"$\alpha$",
    "λ": r"$\lambda$",
    "–": "--",
    "—": "---",
    "−": "$-$",
}


def to_latex(frame: "pd.DataFrame", declaration: Mapping[str, Any]) -> str:
    """Render the tidy frame of `build_table` as LaTeX."""
    layout = make_layout(frame, declaration)
    head = f"% {layout.id}: needs \\usepackage{{booktabs}}\n"
    floats = [text for section in layout.sections for text in _floats(layout, section)]
    return head + "\n".join(floats)


def escape(text: str) -> str:
    """Escape TeX's special characters; a hyphen before a digit becomes a minus sign."""
    escaped = "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


def _floats(layout: Layout, section: Section) -> list[str]:
    """The floats of one scenario: blocks of columns, then the notes, each float at most a page long."""
    pages: list[list[str]] = [[]]
    used = 0
    for height, lines in _parts(layout, section):
        if pages[-1] and used + height > PAGE_LINES:
            pages.append([])
            used = 0
        pages[-1] += lines
        used += height
    return [_float(layout, section, lines, number) for number, lines in enumerate(pages)]


def _parts(layout: Layout, section: Section) -> list[tuple[int, list[str]]]:
    """Tabulars and notes, each with its height in printed lines."""
    parts = [(len(block.rows) + 5, _tabular(block)) for block in wrap_columns(section, WIDTH)]
    notes = (*section.notes, *layout.notes)
    lines = [r"\begin{minipage}{\linewidth}", r"\raggedright"]
    lines += [*(rf"{escape(note)}\par" for note in notes), r"\end{minipage}"]
    return [*parts, (sum(1 + len(note) // WIDTH for note in notes), lines)]


def _float(layout: Layout, section: Section, lines: list[str], number: int) -> str:
    label = re.sub(r"[^A-Za-z0-9]+", "-", f"{layout.id}-{section.scenario}").strip("-")
    suffix = f"-{number + 1}" if number else ""
    caption = f"{layout.title} ({section.scenario}{', continued' if number else ''})"
    head = [r"\begin{table}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    head += [rf"\caption{{{escape(caption)}}}", rf"\label{{tab:{label}{suffix}}}"]
    return "\n".join([*head, *lines, r"\end{table}", ""])


def _tabular(block: Section) -> list[str]:
    lines = [rf"\begin{{tabular}}{{l{'r' * len(block.columns)}}}", r"\toprule", *_group_lines(block)]
    lines += [_line(["Method", *(column.head for column in block.columns)]), r"\midrule"]
    lines += [_line([label, *cells]) for label, cells in block.rows]
    return [*lines, r"\bottomrule", r"\end{tabular}\par\smallskip"]


def _group_lines(block: Section) -> list[str]:
    """Metric names over the columns that belong to them, with a rule under each."""
    cells, rules, at = [""], [], 2
    for group, columns in groupby(block.columns, key=lambda column: column.group):
        span = len(list(columns))
        cells.append(rf"\multicolumn{{{span}}}{{{'c' if group else 'r'}}}{{{escape(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    return [" & ".join(cells) + r" \\", "".join(rules)] if rules else []


def _line(cells: list[str]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"
