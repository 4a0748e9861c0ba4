"""Tidy CSV at full precision: the machine-readable form, and back."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from recollect.errors import RecollectError
from recollect.tables.collected import require_columns
from recollect.tables.columns import COLUMNS, DEFAULTS

if TYPE_CHECKING:
    import pandas as pd


def to_csv(frame: "pd.DataFrame") -> str:
    """Render the tidy frame; `seeds` and `values` become numbers separated by a space."""
    flat = frame.copy()
    for column in ("seeds", "values"):
        flat[column] = [" ".join(map(repr, numbers)) for numbers in frame[column]]
    return str(flat.to_csv(index=False, lineterminator="\n"))


def from_csv(text: str, required: Iterable[str] = COLUMNS) -> "pd.DataFrame":
    """Read `to_csv`'s text back into the same frame.

    Args:
        text: the CSV.
        required: columns that must be there; others that are missing, as in tables of an earlier version, are as
            before anything was computed for them.

    Raises:
        RecollectError: the text is no such CSV, or a column is missing.
    """
    import pandas as pd

    words = [name for name, default in DEFAULTS.items() if isinstance(default, str)]
    types = dict.fromkeys([*words, "seeds", "values"], str)
    # Only an empty number is missing: a method may well be called "None" or "NA".
    empty = {name: [""] for name, default in DEFAULTS.items() if isinstance(default, float)}
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            dtype=types,
            float_precision="round_trip",
            keep_default_na=False,
            na_values=empty,
        )
    except ValueError as error:
        raise RecollectError(f"a table CSV cannot be read ({error}); make the table again.") from None
    require_columns(frame, required, "a table CSV")
    for name, default in DEFAULTS.items():
        if name not in frame.columns:
            frame[name] = default
    for column, kind in (("seeds", int), ("values", float)):
        frame[column] = [[kind(word) for word in text.split()] for text in frame[column]]
    return frame[list(COLUMNS)]
