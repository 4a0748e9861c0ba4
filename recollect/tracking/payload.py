"""What of a run record goes into MLflow, as plain values; nothing here knows MLflow."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from recollect.errors import RecollectError
from recollect.files import canonical_json, sha256_text

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("scenario", "method", "seed", "status")
MAX_PARAM_CHARACTERS = 6000
MAX_TAG_CHARACTERS = 5000

Cell = tuple[str, str, int]


class Point(NamedTuple):
    """One value of a metric; `step` is the number of tasks learnt, 0 for values of the whole run."""

    key: str
    value: float
    step: int


@dataclass(frozen=True)
class Payload:
    """One MLflow run. `cell` names the run for good, `digest` changes with anything it says."""

    cell: str
    digest: str
    status: str
    params: dict[str, str]
    points: list[Point]
    tags: dict[str, str]

    @property
    def run_key(self) -> str:
        """Name and content of the run in one text."""
        return f"{self.cell}@{self.digest[:16]}"


def payloads(records: Iterable[Mapping[str, Any]], metrics: "pd.DataFrame | None") -> list[Payload]:
    """Turn run records and the collected frame into payloads, in the order of the records.

    Raises:
        RecollectError: a record lacks a key, two records are the same run, or the frame lacks a column.
    """
    finals = _final_metrics(metrics)
    made: dict[str, Payload] = {}
    for number, record in enumerate(records):
        missing = [key for key in REQUIRED if key not in record]
        if missing:
            raise RecollectError(
                f"run record {number} lacks {', '.join(missing)}; delete that run's folder and run it again."
            )
        cell = (str(record["scenario"]), str(record["method"]), int(record["seed"]))
        payload = _payload(cell, record, finals.get(cell, {}))
        if payload.cell in made:
            raise RecollectError(f"run {payload.cell} is there twice; give every run record once.")
        made[payload.cell] = payload
    return list(made.values())


def _final_metrics(metrics: "pd.DataFrame | None") -> dict[Cell, dict[str, float]]:
    """Finite values of the runs that went well, by run and metric."""
    if metrics is None:
        return {}
    columns = ("scenario", "method", "seed", "metric", "value", "status")
    missing = [column for column in columns if column not in metrics.columns]
    if missing:
        raise RecollectError(f"the metrics frame lacks the column(s) {', '.join(missing)}.")
    found: dict[Cell, dict[str, float]] = {}
    part = metrics.loc[(metrics["status"] == "ok") & metrics["value"].notna()]
    for row in zip(*(part[column].tolist() for column in columns[:5]), strict=True):
        if math.isfinite(row[4]):
            found.setdefault((row[0], row[1], int(row[2])), {})[row[3]] = float(row[4])
    return found


def _payload(cell: Cell, record: Mapping[str, Any], finals: Mapping[str, float]) -> Payload:
    name = f"{cell[0]}/{cell[1]}/seed{cell[2]}"
    digest = sha256_text(canonical_json(_plain([record, finals])))
    points = {(point.key, point.step): point for point in _record_points(record)}
    points |= {(key, 0): Point(_key(key), finals[key], 0) for key in sorted(finals)}
    params = dict(_flat(record.get("config") or {}, ""))
    params |= {key: str(record[key]) for key in ("scenario", "method", "seed")}
    return Payload(
        cell=name,
        digest=digest,
        status=str(record["status"]),
        params={_key(key): _cut(value, MAX_PARAM_CHARACTERS) for key, value in params.items()},
        points=list(points.values()),
        tags={f"recollect.{_key(key)}": _cut(value, MAX_TAG_CHARACTERS) for key, value in _tags(record)},
    )


def _record_points(record: Mapping[str, Any]) -> Iterator[Point]:
    """Numbers of the record: per task for lists (and R), per run for scalars and maps of scalars."""
    for key, value in record.items():
        if key == "R":
            yield from _matrix_points(value)
        elif key in ("config", "seed"):
            continue
        elif isinstance(value, Mapping):
            yield from (Point(_key(f"{key}/{name}"), float(v), 0) for name, v in value.items() if _number(v))
        elif isinstance(value, list):
            yield from (Point(_key(key), float(v), t) for t, v in enumerate(value, start=1) if _number(v))
        elif _number(value):
            yield Point(_key(key), float(value), 0)


def _matrix_points(matrix: list[list[float | None]] | None) -> Iterator[Point]:
    """Accuracy on each task, and the mean over the tasks seen, after every task."""
    for t, row in enumerate(matrix or [], start=1):
        known = {i: float(value) for i, value in enumerate(row, start=1) if value is not None and _number(value)}
        yield from (Point(f"accuracy/task{i:03d}", value, t) for i, value in known.items())
        seen = [known[i] for i in range(1, t + 1) if i in known]
        if len(seen) == t:
            yield Point("accuracy/seen", sum(seen) / t, t)


def _tags(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Texts of the record: provenance, and why a run did not go well."""
    for key, value in record.items():
        if key == "config" or value is None:
            continue
        if isinstance(value, Mapping):
            texts = {name: v for name, v in value.items() if isinstance(v, str | bool)}
            yield from ((f"{key}.{name}", str(v)) for name, v in texts.items())
        elif isinstance(value, str | bool) and value != "":
            yield key, str(value)


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Nested configuration as dotted names; lists stay one value."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else canonical_json(_plain(value))


def _plain(value: Any) -> Any:
    """The value with NaN and infinities as text, so that it has one JSON form."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _key(name: object) -> str:
    """MLflow allows letters, digits, and _ - . space : / in names."""
    return re.sub(r"[^A-Za-z0-9_\-. :/]", "_", str(name))[:250]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 20]}... (cut to {most})"
