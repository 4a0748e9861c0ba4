"""The collected frame, checked and indexed for the cells of one table."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from recollect.errors import RecollectError
from recollect.tables.declaration import TableSpec
from recollect.tables.suggest import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("scenario", "method", "seed", "metric", "value", "status", "reason")
STATUSES = ("ok", "diverged", "failed", "not run")

RunKey = tuple[str, str]
CellKey = tuple[str, str, str]


class RunState(NamedTuple):
    """How one run ended, and why if not well."""

    status: str
    reason: str


@dataclass(frozen=True)
class Collected:
    """Values per (scenario, method, metric) and seed; run states per (scenario, method) and seed.

    `remarks`, keyed as values, are the reasons of rows that are ok: what must be said beside the value.
    """

    values: dict[CellKey, dict[int, float]]
    runs: dict[RunKey, dict[int, RunState]]
    remarks: dict[CellKey, dict[int, str]]


def index_collected(collected: "pd.DataFrame", spec: TableSpec) -> Collected:
    """Index the rows of a collected frame that belong to a table.

    Raises:
        RecollectError: a column is missing, a status unknown, a seed or value not a number, a row
            there twice, or a run is reported both as finished and as not finished.
    """
    require_columns(collected, COLUMNS, "the collected frame")
    found = Collected({}, {}, {})
    mine = collected["scenario"].isin(spec.scenarios) & collected["method"].isin(spec.methods)
    part = collected.loc[mine, list(COLUMNS)]
    for row in zip(*(part[column].tolist() for column in COLUMNS), strict=True):
        _add_row(found, *row)
    return found


def require_columns(frame: "pd.DataFrame", columns: Iterable[str], what: str) -> None:
    """Raise a RecollectError that names the missing columns of a frame."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise RecollectError(
            f"{what} lacks the column(s) {', '.join(missing)}; it has: {', '.join(map(str, frame.columns))}."
        )


def _add_row(
    found: Collected,
    scenario: str,
    method: str,
    seed: object,
    metric: object,
    value: object,
    status: str,
    reason: object,
) -> None:
    def where() -> str:
        return f"the collected frame, run {scenario} / {method} / seed {seed}"

    if status not in STATUSES:
        raise RecollectError(f"{where()}: unknown status {status!r}.{did_you_mean(str(status), STATUSES)}")
    number = seed if type(seed) is int else _seed(seed, where())
    said = _text(reason)
    runs = found.runs.setdefault((scenario, method), {})
    known = runs.get(number)
    if known is None:
        runs[number] = RunState(status, "" if status == "ok" else said)
    elif known.status != status:
        raise RecollectError(f"{where()}: is both '{known.status}' and '{status}'; collect the suite again.")
    if status != "ok":
        return
    key = (scenario, method, str(metric))
    cell = found.values.setdefault(key, {})
    if number in cell:
        raise RecollectError(f"{where()}: metric '{metric}' is there twice; collect the suite again.")
    cell[number] = value if type(value) is float else _number(value, f"{where()}, metric '{metric}'")
    if said:
        found.remarks.setdefault(key, {})[number] = said


def _seed(value: object, where: str) -> int:
    try:
        number = float(str(value))
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise RecollectError(f"{where}: the seed is not a whole number.")


def _number(value: object, where: str) -> float:
    try:
        return math.nan if value is None else float(str(value))
    except ValueError:
        raise RecollectError(f"{where}: value {value!r} is not a number.") from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
