"""What a run will cost, from runs that were measured: those in this results folder, else the committed ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from recollect.files import read_json
from recollect.layout import ROOT
from recollect.steps.places import Places

REPRODUCED = ROOT / "results" / "reproduced"
STARTUP_S = 60.0
"""Allowed per process for imports and reading data, on a slow file system too."""
STOP_S = 60.0
"""Before its time is up a job saves its state and stops (``MARGIN_S`` in recollect/engine/notice.py)."""
MARGIN = 1.5
"""How much longer than measured a run may take before its job is killed."""


@dataclass(frozen=True)
class Estimate:
    """Cost of one run of a method on a scenario: the longest of the seeds that were measured.

    Attributes:
        train_s: seconds.
        ram_mb: peak memory, None if it was not kept.
        disk_mb: of the run's folder, None if it was not kept.
        source: where it was measured.
    """

    train_s: float
    ram_mb: float | None
    disk_mb: float | None
    source: str


def estimate(places: Places, scenario: str, method: str) -> Estimate | None:
    """The best knowledge there is; None if the method was never run on the scenario."""
    return _measured_here(places, scenario, method) or _committed().get((scenario, method))


def _measured_here(places: Places, scenario: str, method: str) -> Estimate | None:
    path = places.metrics(scenario, method)
    if not path.is_file():
        return None
    runs = [run for run in read_json(path, "delete it and run again")["runs"] if "wall_s" in run["costs"]]
    if not runs:
        return None
    folders = [places.run(scenario, method, run["seed"]) for run in runs]
    sizes = [sum(file.stat().st_size for file in folder.glob("*") if file.is_file()) for folder in folders]
    return Estimate(
        train_s=max(run["costs"]["wall_s"] for run in runs),
        ram_mb=max((run["costs"]["ram_mb"] for run in runs if "ram_mb" in run["costs"]), default=None),
        disk_mb=max(sizes) / 2**20,
        source=str(places.results),
    )


@cache
def _committed(folder: Path = REPRODUCED) -> dict[tuple[str, str], Estimate]:
    return {key: one for path in sorted(folder.glob("*/provenance.json")) for key, one in _kept(path)}


def _kept(path: Path) -> Iterator[tuple[tuple[str, str], Estimate]]:
    source = f"results/reproduced/{path.parent.name}"
    for scenario, methods in json.loads(path.read_text())["runs"].items():
        for method, entry in methods.items():
            runs = [run for run in entry["seeds"].values() if run["train_s"] is not None]
            if runs:
                ram = max((run["ram_mb"] for run in runs if run.get("ram_mb") is not None), default=None)
                yield (scenario, method), Estimate(max(run["train_s"] for run in runs), ram, None, source)


def runtime_minutes(one: Estimate | None, n_seeds: int, attempt: int, unknown: int) -> int:
    """Minutes to ask a scheduler for, for ``n_seeds`` runs in one job; twice as many at every further attempt.

    Args:
        one: of a run, None if nothing is known.
        n_seeds: runs in the job.
        attempt: counted from 1. A job that was killed goes on where its state was saved.
        unknown: minutes for a run without estimate.
    """
    minutes = n_seeds * unknown if one is None else (STARTUP_S + MARGIN * n_seeds * one.train_s + STOP_S) / 60
    return max(1, math.ceil(minutes)) * 2 ** (attempt - 1)


@dataclass(frozen=True)
class Line:
    """One scenario and method of a suite: how many runs, how many of them finished, and what one costs.

    Attributes:
        jobs: with a run that is not finished.
        minutes: that the longest of these jobs asks a scheduler for when it is tried first.
    """

    scenario: str
    method: str
    runs: int
    finished: int
    cost: Estimate | None
    jobs: int = 0
    minutes: int = 0

    @property
    def left(self) -> int:
        """Runs still to do."""
        return self.runs - self.finished

    @property
    def hours(self) -> float | None:
        """Hours of the runs left, None if unknown."""
        return 0.0 if not self.left else None if self.cost is None else self.left * self.cost.train_s / 3600


def lines(
    places: Places, pairs: Sequence[tuple[str, str]], batches: Sequence[Sequence[int]], unknown: int
) -> list[Line]:
    """One line per scenario and method; a run counts as finished if its record is there.

    Args:
        places: the results folder.
        pairs: scenarios and methods.
        batches: seeds by job.
        unknown: minutes that a run without estimate asks for.
    """
    return [_line(places, pair, batches, unknown) for pair in pairs]


def _line(places: Places, pair: tuple[str, str], batches: Sequence[Sequence[int]], unknown: int) -> Line:
    left = [[seed for seed in seeds if not (places.run(*pair, seed) / "run.json").is_file()] for seeds in batches]
    runs, cost = sum(map(len, batches)), estimate(places, *pair)
    open_jobs = [len(seeds) for seeds, open_runs in zip(batches, left, strict=True) if open_runs]
    minutes = runtime_minutes(cost, max(open_jobs), 1, unknown) if open_jobs else 0
    return Line(*pair, runs, runs - sum(map(len, left)), cost, len(open_jobs), minutes)


_HEADER = (
    *("scenario", "method", "runs", "left", "hours left", "memory MB", "disk MB"),
    *("jobs", "minutes a job", "measured in"),
)


def summary(found: Sequence[Line], tables: Sequence[dict[str, Any]], price: float | None) -> str:
    """A table of what is left to do, totals per table of the suite, and what is not known.

    Args:
        found: from :func:`lines`.
        tables: of the suite: id, and scenarios and methods if not all.
        price: of an hour, in any currency; None shows no costs.
    """
    rows: list[Sequence[str]] = [_HEADER, *(_row(line) for line in found)]
    text = _columns(rows)
    for table in tables:
        mine = [x for x in found if _in(table, "scenarios", x.scenario) and _in(table, "methods", x.method)]
        text += f"\ntable {table['id']}: {_total(mine, price)}"
    text += f"\nall: {_total(found, price)}\n"
    unknown = [f"{line.scenario}/{line.method}" for line in found if line.hours is None]
    if unknown:
        text += "never measured, so not in the totals: " + ", ".join(unknown) + "\n"
    return text


def _in(table: dict[str, Any], key: str, value: str) -> bool:
    return value in table.get(key, [value])


def _row(line: Line) -> tuple[str, ...]:
    cost = line.cost
    known = (
        "?" if line.hours is None else f"{line.hours:.2f}",
        "?" if cost is None or cost.ram_mb is None else f"{cost.ram_mb:.0f}",
        "?" if cost is None or cost.disk_mb is None else f"{line.runs * cost.disk_mb:.1f}",
        str(line.jobs),
        str(line.minutes) if line.jobs else "-",
        "never" if cost is None else cost.source,
    )
    return (line.scenario, line.method, str(line.runs), str(line.left), *known)


def _total(found: Sequence[Line], price: float | None) -> str:
    hours = sum(line.hours or 0.0 for line in found)
    runs, left = sum(line.runs for line in found), sum(line.left for line in found)
    unknown = sum(line.left for line in found if line.hours is None)
    text = f"{runs} runs, {left} left, {hours:.1f} hours"
    text += f" and {unknown} runs of unknown length" if unknown else ""
    return text + (f", {hours * price:.2f} at {price:g} an hour" if price is not None else "")


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )
