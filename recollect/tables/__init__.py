"""Tables: one tidy frame per table, and renderings of it that all say the same."""

from recollect.tables.build import build_table
from recollect.tables.declaration import TableSpec, parse_declaration
from recollect.tables.metric_info import METRICS, MetricInfo, metric_info
from recollect.tables.to_csv import from_csv, to_csv
from recollect.tables.to_html import to_html, to_html_fragment
from recollect.tables.to_latex import to_latex
from recollect.tables.to_markdown import to_markdown
from recollect.tables.to_terminal import to_terminal
from recollect.tables.verdict import Reproduced, Verdict, verdict
from recollect.tables.write import table_paths, write_table

__all__ = [
    "METRICS",
    "MetricInfo",
    "Reproduced",
    "TableSpec",
    "Verdict",
    "build_table",
    "from_csv",
    "metric_info",
    "parse_declaration",
    "table_paths",
    "to_csv",
    "to_html",
    "to_html_fragment",
    "to_latex",
    "to_markdown",
    "to_terminal",
    "verdict",
    "write_table",
]
