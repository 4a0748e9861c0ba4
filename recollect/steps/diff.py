"""Diff: compare two result sets, of two machines or two commits, and say what changed beyond noise."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from recollect.errors import RecollectError
from recollect.report.difference import COST, IDENTICAL, NOISE, compare_results, counts
from recollect.report.kept import kept_frame
from recollect.report.values import COLUMNS, Values, collected_of_tables, values_of
from recollect.steps.report_files import DATA
from recollect.steps.tables import read_collected

QUIET = (IDENTICAL, NOISE, COST)
ACCEPTED = "a results folder, a folder of tables or of a report, a collected CSV or a results.parquet"


def read_values(path: Path) -> Values:
    """Values per seed of a result set in any form in which it is stored.

    Raises:
        RecollectError: it is none of them, or damaged.
    """
    if not path.exists():
        raise RecollectError(f"{path} does not exist: name {ACCEPTED}")
    if path.is_file():
        return _of_file(path)
    if (path / DATA).is_file():
        return _of_file(path / DATA)
    collected = sorted((path / "collected").glob("*.csv"))
    if collected:
        return {key: value for file in collected for key, value in values_of(read_collected(file)).items()}
    tables = sorted(path.glob("*.csv")) or sorted(path.glob("*/*.csv"))
    if tables:
        return values_of(collected_of_tables([kept_frame(file.read_text()) for file in tables]))
    raise RecollectError(f"{path} holds no results: name {ACCEPTED}")


def _of_file(path: Path) -> Values:
    import pandas as pd

    if path.suffix == ".parquet":
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise RecollectError(
                f"{path} is no Parquet file ({' '.join(str(error).split())}): make it again"
            ) from None
    else:
        frame = read_collected(path)
    if not set(COLUMNS) <= set(frame.columns):
        raise RecollectError(f"{path} lacks columns of a collected frame: name {ACCEPTED}")
    return values_of(frame)


def diff(a: Path, b: Path, stream: IO[str], everything: bool = False) -> int:
    """Print what differs between A and B.

    Args:
        a, b: result sets.
        stream: to write to.
        everything: also list cells without a change and costs.

    Returns:
        The number of cells that changed beyond noise.
    """
    cells = compare_results(read_values(a), read_values(b))
    for cell in cells:
        if everything or cell.kind not in QUIET:
            stream.write(cell.words + "\n")
    found = counts(cells)
    stream.write("; ".join(f"{kind}: {n}" for kind, n in found.items()) + f"; of {len(cells)} cells.\n")
    return found.get("changed", 0)
