"""What one cell rests on: the seeds with a value, and words for every planned seed without one."""

import math
from dataclasses import dataclass

from recollect.tables.collected import Collected, RunState
from recollect.tables.declaration import TableSpec

NO_VALUE = "no value"
_WORST_FIRST = ("failed", "diverged", NO_VALUE, "not run")


@dataclass(frozen=True)
class Cell:
    """Values by seed (sorted), number of planned seeds, status, and the reason why seeds are missing.

    The reason also says what must be known of the values that are there; so it may go with `ok`.

    status: `ok`, `partial` (some planned seeds are missing), or with no seed at all the worst of
    `failed`, `diverged`, `no value` (ran well, but this metric is absent or NaN), `not run`.
    """

    values: dict[int, float]
    n_expected: int
    status: str
    reason: str


def make_cell(found: Collected, spec: TableSpec, scenario: str, method: str, metric: str) -> Cell:
    """Gather one cell; every planned seed ends up either in its values or in its reason."""
    runs = found.runs.get((scenario, method), {})
    values = found.values.get((scenario, method, metric), {})
    planned = _planned(spec, scenario, method, runs)
    used = {seed: values[seed] for seed in planned if math.isfinite(values.get(seed, math.nan))}
    missing = {seed: _why_missing(runs.get(seed), metric) for seed in planned if seed not in used}
    parts = _sentences(missing)
    parts += _remarks(found.remarks.get((scenario, method, metric), {}), list(used))
    extra = sorted(set(runs) - set(planned))
    if extra:
        parts.append(f"left out, not planned by the suite: {_seeds(extra)}")
    if not planned:
        return Cell({}, 0, "not run", "; ".join(["not run: no run planned or found", *parts]))
    if used and missing:
        parts.insert(0, f"{len(used)} of {len(planned)} seeds")
    return Cell(used, len(planned), _status(used, missing), "; ".join(parts))


def _planned(spec: TableSpec, scenario: str, method: str, runs: dict[int, RunState]) -> list[int]:
    if spec.expected is None:
        return sorted(runs)
    return sorted(spec.expected.get((scenario, method), ()))


def _why_missing(run: RunState | None, metric: str) -> RunState:
    if run is None:
        return RunState("not run", "no result found")
    if run.status == "ok":
        return RunState(NO_VALUE, f"the run has no {metric}")
    return run


def _status(used: dict[int, float], missing: dict[int, RunState]) -> str:
    if not missing:
        return "ok"
    if used:
        return "partial"
    return min((state.status for state in missing.values()), key=_WORST_FIRST.index)


def _sentences(missing: dict[int, RunState]) -> list[str]:
    """One clause per way of failing, e.g. `diverged: seed 3 at task 2, step 118`."""
    alike: dict[RunState, list[int]] = {}
    for seed, state in missing.items():
        alike.setdefault(state, []).append(seed)
    clauses = []
    for state in sorted(alike, key=lambda state: (_WORST_FIRST.index(state.status), alike[state])):
        reason = " ".join(state.reason.removeprefix(state.status).lstrip(" :,").split())
        joint = " " if reason.startswith(("at ", "in ", "after ")) else ": "
        clauses.append(f"{state.status}: {_seeds(alike[state])}{joint if reason else ''}{reason}")
    return clauses


def _remarks(remarks: dict[int, str], used: list[int]) -> list[str]:
    """One clause per remark on values that are used, naming its seeds where it does not hold for all."""
    alike: dict[str, list[int]] = {}
    for seed in used:
        if seed in remarks:
            alike.setdefault(" ".join(remarks[seed].split()), []).append(seed)
    return [text if seeds == used else f"{_seeds(seeds)}: {text}" for text, seeds in alike.items()]


def _seeds(seeds: list[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
