"""Check: say which runs of a collected suite did not come out."""

from __future__ import annotations

import csv
from pathlib import Path

from recollect.errors import RecollectError


def _described(row: dict[str, str]) -> str:
    return f"{row['scenario']}/{row['method']} seed {row['seed']} {row['status']} ({row['reason']})"


def check(collected: Path) -> None:
    """Raise one sentence if any run is not ok.

    Raises:
        RecollectError: naming up to five runs and their reasons; or the file is missing or no collected frame.
    """
    try:
        with Path(collected).open(newline="") as file:
            bad = [_described(row) for row in csv.DictReader(file) if row["status"] != "ok"]
    except FileNotFoundError:
        raise RecollectError(f"{collected} is missing: run the collect step first") from None
    except (KeyError, ValueError, csv.Error):
        raise RecollectError(f"{collected} is damaged: delete it and run again") from None
    if not bad:
        return
    shown = "; ".join(bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    raise RecollectError(f"{len(bad)} runs did not come out, the tables say which: {shown}{more}")
