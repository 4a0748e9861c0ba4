"""The rows of the file of published numbers, checked."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from pathlib import Path

from recollect.config.schema import ConfigError


@dataclass(frozen=True)
class PublishedRow:
    """One published number as its source has it; the columns are described in results/published/README.md.

    n_tasks is None and std NaN where the source does not give it.
    """

    paper_id: str
    table: str
    dataset: str
    scenario: str
    n_tasks: int | None
    method: str
    metric: str
    value: float
    std: float
    source: str


COLUMNS = tuple(field.name for field in fields(PublishedRow))


def read_rows(path: Path) -> list[PublishedRow]:
    """Read the file.

    Raises:
        ConfigError: it is missing, lacks a column or has something else where a number belongs.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
            if missing:
                raise ConfigError(f"{path} lacks the column(s) {', '.join(missing)}: restore it")
            return [_row(row, f"{path}, line {reader.line_num}") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read ({' '.join(str(error).split())}): restore it") from None


def _row(row: dict[str, str], where: str) -> PublishedRow:
    words = {name: row[name] or "" for name in COLUMNS}
    std = _number(words.pop("std") or "nan", f"{where}, std")
    value = _number(words.pop("value"), f"{where}, value")
    if not math.isfinite(value):
        raise ConfigError(f"{where}, value {row['value']!r} is not finite: leave a cell that nobody published out")
    n_tasks = words.pop("n_tasks")
    if n_tasks and not n_tasks.isdecimal():
        raise ConfigError(f"{where}, n_tasks {n_tasks!r} is not a whole number: correct it")
    return PublishedRow(n_tasks=int(n_tasks) if n_tasks else None, value=value, std=std, **words)


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{where} {text!r} is not a number: correct it") from None
