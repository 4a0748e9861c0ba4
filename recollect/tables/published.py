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
OPTIONAL = ("published_as", "note", "status", "exchangeable", "differs")


class Published(NamedTuple):
    """A published value and standard deviation (NaN if not given), in the unit of the data.

    The rest may be empty. published_as: the method's name in the publication; note: what makes the comparison
    doubtful; status: why there is no reproduced value, for a method that has no row of its own;
    exchangeable: the metric whose label this value may bear; differs: what makes the value itself incomparable
    with ours (extractor, data or protocol), so that only the order of methods counts.
    """

    value: float
    std: float
    source: str
    published_as: str = ""
    note: str = ""
    status: str = ""
    exchangeable: str = ""
    differs: str = ""


NOTHING = Published(math.nan, math.nan, "")


def index_published(published: "pd.DataFrame | None", spec: TableSpec) -> dict[CellKey, Published]:
    """Index the published rows of a table's scenarios and metrics, also of methods that the table does not have.

    Raises:
        RecollectError: a column is missing, a row is there twice, a value is not a number, or an
            accuracy lies outside [-1, 1] (percent instead of fraction).
    """
    if published is None:
        return {}
    require_columns(published, COLUMNS, "the published frame")
    found: dict[CellKey, Published] = {}
    more = [column for column in OPTIONAL if column in published.columns]
    for row in published[[*COLUMNS, *more]].to_dict("records"):
        key = (row["scenario"], row["method"], row["metric"])
        if key[0] not in spec.scenarios or key[2] not in spec.metrics:
            continue
        if key in found:
            raise RecollectError(f"the published frame has {' / '.join(key)} twice; keep one row.")
        words = {column: _text(row[column]) for column in ("source", *more)}
        found[key] = _published(key, row["value"], row["std"], words)
    return found


def _published(key: CellKey, value: object, std: object, words: dict[str, str]) -> Published:
    where = f"the published frame, {' / '.join(key)}"
    number = _number(value, f"{where}, value")
    if metric_info(key[2]).unit == "%" and abs(number) > 1:
        raise RecollectError(f"{where}: {number} looks like percent; write it as a fraction ({number / 100}).")
    return Published(number, _number(std, f"{where}, std"), **words)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, where: str) -> float:
    try:
        return math.nan if value is None or value == "" else float(str(value))
    except ValueError:
        raise RecollectError(f"{where}: {value!r} is not a number.") from None
