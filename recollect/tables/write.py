"""Write a table in every format."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recollect.files import write_text
from recollect.tables.to_csv import to_csv
from recollect.tables.to_html import to_html
from recollect.tables.to_latex import to_latex
from recollect.tables.to_markdown import to_markdown
from recollect.tables.to_terminal import to_terminal

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = ("csv", "md", "tex", "html", "txt")


def table_paths(table_id: str, out_dir: Path | str) -> list[Path]:
    """Files that `write_table` makes, in its order."""
    return [Path(out_dir) / f"{table_id}.{suffix}" for suffix in SUFFIXES]


def write_table(frame: "pd.DataFrame", declaration: Mapping[str, Any], out_dir: Path | str) -> list[Path]:
    """Write `<out_dir>/<id>.{csv,md,tex,html,txt}` from the tidy frame of `build_table`.

    Raises:
        RecollectError: the folder cannot be written or the disk is full.
    """
    renderers = (lambda frame, _: to_csv(frame), to_markdown, to_latex, to_html, to_terminal)
    texts = [render(frame, declaration) for render in renderers]
    paths = table_paths(str(declaration["id"]), out_dir)
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return paths
