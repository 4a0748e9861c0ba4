"""Quality control of results: what a reader must know before believing a table. Graded, never silent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recollect.errors import RecollectError
from recollect.files import canonical_json
from recollect.report.runs import Run
from recollect.tables.compare import EXCHANGED
from recollect.tables.metric_info import metric_info

if TYPE_CHECKING:
    import pandas as pd

ERROR, WARNING, NOTE = "error", "warning", "note"
GRADES = (ERROR, WARNING, NOTE)
"""error: numbers that must not be used; warning: a comparison that may mislead; note: worth knowing."""
SIGNED = ("bwt", "fwt", "forgetting_initial", "forgetting_chaudhry")
"""Differences of accuracies: within [-1, 1]."""
UNBOUNDED_BELOW = ("kid", "fid_change", "w1_log_pooled_change", "w1_channels_change")
ROUNDING = 1e-9


@dataclass(frozen=True)
class Finding:
    """What was found, where, and what to do about it."""

    grade: str
    where: str
    what: str
    todo: str


def check_quality(
    collected: pd.DataFrame, tables: Mapping[str, pd.DataFrame], runs: Sequence[Run], expected: Iterable[Any]
) -> list[Finding]:
    """All findings, worst first.

    Args:
        collected: tidy frame of all values.
        tables: tidy frame of every table by its id.
        runs: what is known of the runs.
        expected: (scenario, method, seed) of every run that was planned.
    """
    found = [
        *_missing(collected, expected),
        *_duplicates(collected),
        *_out_of_range(collected),
        *_unequal_seeds(tables),
        *_exchanged(tables),
        *_mixed(runs),
    ]
    return in_order(found)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then as found."""
    return sorted(findings, key=lambda finding: GRADES.index(finding.grade))


def _listed(names: Sequence[str], most: int = 4) -> str:
    """Names, of many the first ones and how many more."""
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


# Runs that are not there ----------------------------------------------------------------------------------------


def _missing(collected: pd.DataFrame, expected: Iterable[Any]) -> list[Finding]:
    """One finding per method, scenario and way of failing."""
    rows = zip(
        *(collected[name].tolist() for name in ("scenario", "method", "seed", "status", "reason")), strict=True
    )
    states = {(s, m, k): (status, str(reason or "")) for s, m, k, status, reason in rows}
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for s, m, k in expected:
        status, reason = states.get((s, m, k), ("not run", "no result found"))
        if status != "ok":
            groups.setdefault((s, m, status, reason), []).append(str(k))
    return [
        Finding(
            WARNING, f"{s}/{m}", f"{status}: seed{'s' if len(seeds) > 1 else ''} {_listed(seeds, 8)}"
            + (f" ({reason})" if reason else ""),
            "run it again" if status == "not run" else "see the log of the run and correct the cause",
        )
        for (s, m, status, reason), seeds in groups.items()
    ]  # fmt: skip


def _unequal_seeds(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """Methods of one column that rest on different seeds are compared on different splits."""
    found = []
    for name, frame in tables.items():
        for (scenario, metric), part in frame[frame["n_seeds"] > 0].groupby(["scenario", "metric"], sort=False):
            groups: dict[tuple[int, ...], list[str]] = {}
            for row in part.to_dict("records"):
                groups.setdefault(tuple(row["seeds"]), []).append(row["label"])
            if len(groups) > 1:
                usual = max(groups, key=lambda seeds: (len(groups[seeds]), len(seeds)))
                odd = [f"{_listed(m)} on {_listed(list(map(str, s)), 8)}" for s, m in groups.items() if s != usual]
                usually = _listed(list(map(str, usual)), 8)
                found.append(
                    Finding(
                        WARNING, f"table {name}, {scenario}, {metric}",
                        f"seeds differ between methods: most rest on seeds {usually}; {'; '.join(odd)}",
                        "compare only over common seeds (the Δ columns do), or run the missing seeds",
                    )
                )  # fmt: skip
    return _merged(found)


def _merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that say the same of several places, once."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for finding in findings:
        places.setdefault((finding.grade, finding.what, finding.todo), []).append(finding.where)
    return [Finding(grade, _listed(where), what, todo) for (grade, what, todo), where in places.items()]


# Values ---------------------------------------------------------------------------------------------------------


def _duplicates(collected: pd.DataFrame) -> list[Finding]:
    keys = collected[["scenario", "method", "seed", "metric"]]
    twice = keys[keys.duplicated() & (collected["seed"] >= 0)].drop_duplicates()
    return [
        Finding(ERROR, f"{s}/{m} seed {k}", f"{metric} is there twice", "collect the suite again")
        for s, m, k, metric in twice.itertuples(index=False)
    ]


def _out_of_range(collected: pd.DataFrame) -> list[Finding]:
    found = []
    done = collected[collected["status"] == "ok"]
    for metric, part in done.groupby("metric", sort=False):
        low, high = value_range(str(metric))
        outside = part[(part["value"] < low - ROUNDING) | (part["value"] > high + ROUNDING)]
        for row in outside.to_dict("records"):
            what = f"{metric} is {row['value']:g}, outside [{low:g}, {high:g}]"
            where = f"{row['scenario']}/{row['method']} seed {row['seed']}"
            found.append(Finding(ERROR, where, what, "do not use it: find the cause and evaluate again"))
        for row in part[part["value"].isna()].to_dict("records"):
            where = f"{row['scenario']}/{row['method']} seed {row['seed']}"
            found.append(
                Finding(NOTE, where, f"{metric} has no value", "it is not defined for this run, or failed")
            )
    return _merged(found)


def value_range(metric: str) -> tuple[float, float]:
    """Smallest and largest value that a metric can have, in the unit of the data."""
    base = metric.partition("@")[0]
    try:
        info = metric_info(metric)
    except RecollectError:  # a metric that no table can show
        return -math.inf, math.inf
    if base in SIGNED:
        return -1.0, 1.0
    if info.unit == "%":
        return 0.0, 1.0
    return (-math.inf if base in UNBOUNDED_BELOW else 0.0), math.inf


def _exchanged(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """Pairs of precision and recall that agree with the publication only the other way round."""
    found = []
    for name, frame in tables.items():
        mine = frame[frame["verdict"].str.endswith(EXCHANGED)]
        for (scenario, label), part in mine.groupby(["scenario", "label"], sort=False):
            metrics = " and ".join(part["metric"])
            found.append(
                Finding(
                    WARNING, f"table {name}, {scenario}, {label}",
                    f"{metrics} agree with the published values only if these are exchanged",
                    "check which of the two, publication or evaluation, has the names the wrong way round",
                )
            )  # fmt: skip
    return found


# Runs that do not belong together -----------------------------------------------------------------------------


def _mixed(runs: Sequence[Run]) -> list[Finding]:
    return [
        *_differ(
            runs, lambda run: (run.scenario, run.method), lambda run: run.code, ERROR,
            "seeds were trained with different code (fingerprints {})", "train the older ones again",
        ),
        *_differ(
            runs, lambda run: (run.scenario, run.method), lambda run: canonical_json(run.settings), ERROR,
            "seeds were trained with different settings", "train them with the same ones", show=False,
        ),
        *_differ(
            runs, lambda run: (run.scenario, f"seed {run.seed}"), lambda run: run.split, ERROR,
            "methods were trained on different splits ({})", "train them on the same one",
        ),
        *_differ(
            runs, lambda run: (run.scenario,), lambda run: ", ".join(run.data), ERROR,
            "runs had different data ({})", "train them on the same data",
        ),
        *_differ(
            runs, lambda run: (run.extractor or ("",))[0:1], lambda run: (run.extractor or ("", ""))[1], ERROR,
            "samples were judged with different weights of this extractor ({})", "evaluate all of them again",
        ),
        *_differ(
            runs, lambda run: (run.scenario,), lambda run: _shown(run.environment.get("versions")), WARNING,
            "runs had different package versions", "numbers may differ in the last digits", show=False,
        ),
        *_differ(
            runs, lambda run: (run.scenario,), lambda run: _shown(run.environment.get("device")), WARNING,
            "runs were made on different devices ({})", "do not compare times; other numbers may differ a bit",
        ),
        *_differ(
            runs, lambda run: (run.scenario,), lambda run: _shown(run.environment.get("commit"))[:12], NOTE,
            "runs are of different commits ({})", "code fingerprints say whether that matters",
        ),
        *_dirty(runs),
    ]  # fmt: skip


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else canonical_json(value)


def _differ(
    runs: Sequence[Run], group: Callable[[Run], tuple[str, ...]], fact: Callable[[Run], str], grade: str,
    what: str, todo: str, show: bool = True,
) -> list[Finding]:  # fmt: skip
    """Groups of runs in which a fact that should be one has several values."""
    facts: dict[tuple[str, ...], dict[str, list[Run]]] = {}
    for run in runs:
        if value := fact(run):
            facts.setdefault(group(run), {}).setdefault(value, []).append(run)
    found = []
    for name, values in facts.items():
        if len(values) > 1:
            rarest = min(values, key=lambda value: len(values[value]))
            odd = [f"{run.method} seed {run.seed}" for run in values[rarest]]
            words = what.format(_listed([value[:16] for value in values])) if show else what
            words += f"; the odd one{'s' if len(odd) > 1 else ''} out: {_listed(odd)}"
            found.append(Finding(grade, "/".join(name), words, todo))
    return _merged(found)


def _dirty(runs: Sequence[Run]) -> list[Finding]:
    odd = [run.where for run in runs if run.environment.get("uncommitted changes")]
    if not odd:
        return []
    what = "made from a checkout with uncommitted changes"
    return [Finding(NOTE, _listed(odd), what, "the commit alone does not give this code; fingerprints do")]
