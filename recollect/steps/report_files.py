"""Which files a report has; read while planning, so nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

PAGE, DATA, CRATE = "index.html", "results.parquet", "ro-crate-metadata.json"


def report_files(folder: Path) -> list[Path]:
    """The page, all values as one Parquet file, and their description as RO-Crate."""
    return [folder / name for name in (PAGE, DATA, CRATE)]
