"""Committed tables, read back without the runs behind them: CSV, and title and notes of the Markdown.

Tables kept by earlier versions lack columns of today's; what those would say is computed from the numbers.
"""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING, Any

from recollect.tables.compare import judge_row
from recollect.tables.to_csv import from_csv

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = ("scenario", "method", "label", "metric", "status", "seeds", "values", "mean")
"""A table without one of these is none."""


def kept_frame(text: str) -> pd.DataFrame:
    """The tidy frame of a committed CSV, completed.

    Raises:
        RecollectError: it is no CSV of a table.
    """
    frame = from_csv(text, required=ALWAYS)
    late = [_with_verdict(row) if not row["verdict_kind"] else row for row in frame.to_dict("records")]
    frame["verdict_kind"] = [row["verdict_kind"] for row in late]
    frame["p_tost"] = [row["p_tost"] for row in late]
    return frame


def _with_verdict(row: dict[Any, Any]) -> dict[Any, Any]:
    found = judge_row(row, row["published"], row["agreement"], row["differs"])
    return {**row, "verdict_kind": found.kind, "p_tost": found.p_tost}


def kept_declaration(frame: pd.DataFrame, table_id: str, title: str) -> dict[str, Any]:
    """The declaration that a committed frame implies."""
    rows = frame.to_dict("records")
    limits = {r["metric"].partition("@")[0]: r["agreement"] for r in rows if not math.isnan(r["agreement"])}
    return {
        "id": table_id, "title": title, "agreement": limits,
        **{f"{name}s": list(dict.fromkeys(r[name] for r in rows)) for name in ("scenario", "method", "metric")},
        "labels": {r["method"]: r["label"] for r in rows},
        "reference": next((r["reference"] for r in rows if r["reference"]), None),
    }  # fmt: skip


def title_and_notes(markdown: str) -> tuple[str, list[str]]:
    """Title, and notes that hold for the whole table, of a table's Markdown."""
    title = next((line[2:] for line in markdown.splitlines() if line.startswith("# ")), "")
    _, _, notes = markdown.partition("\n## Notes\n")
    found = [_plain(line[2:]) for line in notes.splitlines() if line.startswith("- ")]
    return _plain(title), found


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"\\(.)", r"\1", text))
