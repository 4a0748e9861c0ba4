"""Published numbers, checked and keyed by (scenario, method, metric)."""

import math
from typing import TYPE_CHECKING, NamedTuple

from recollect.errors import RecollectError
from recollect.tables.collected import CellKey, require_columns
from recollect.tables.declaration import TableSpec
from recollect.tables.metric_info import metric_info

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("scenario", "method", "metric", "value", "std", "source")


class Published(NamedTuple):
    """A published value and standard deviation (NaN if not given), in the unit of the data."""

    value: float
    std: float
    source: str


NOTHING = Published(math.nan, math.nan, "")


def index_published(published: "pd.DataFrame | None", spec: TableSpec) -> dict[CellKey, Published]:
    """Index the published rows that belong to a table; rows of other tables are passed over.

    Raises:
        RecollectError: a column is missing, a row is there twice, a value is not a number, or an
            accuracy lies outside [-1, 1] (percent instead of fraction).
    """
    if published is None:
        return {}
    require_columns(published, COLUMNS, "the published frame")
    found: dict[CellKey, Published] = {}
    for row in zip(*(published[column].tolist() for column in COLUMNS), strict=True):
        key = (row[0], row[1], row[2])
        if key[0] not in spec.scenarios or key[1] not in spec.methods or key[2] not in spec.metrics:
            continue
        if key in found:
            raise RecollectError(f"the published frame has {' / '.join(key)} twice; keep one row.")
        found[key] = _published(key, row[3], row[4], row[5])
    return found


def _published(key: CellKey, value: object, std: object, source: object) -> Published:
    where = f"the published frame, {' / '.join(key)}"
    number = _number(value, f"{where}, value")
    if metric_info(key[2]).unit == "%" and abs(number) > 1:
        raise RecollectError(f"{where}: {number} looks like percent; write it as a fraction ({number / 100}).")
    return Published(number, _number(std, f"{where}, std"), source if isinstance(source, str) else "")


def _number(value: object, where: str) -> float:
    try:
        return math.nan if value is None or value == "" else float(str(value))
    except ValueError:
        raise RecollectError(f"{where}: {value!r} is not a number.") from None
