"""Values per seed of every cell: what claims, statistics and comparisons of results rest on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CellKey = tuple[str, str, str]
"""(scenario, method, metric)"""
Values = dict[CellKey, dict[int, float]]
COLUMNS = ("scenario", "method", "seed", "metric", "value", "status", "reason")


def values_of(collected: pd.DataFrame) -> Values:
    """Finite values of finished runs by cell and seed; cells in the order of the frame, seeds sorted."""
    done = collected[(collected["status"] == "ok") & collected["value"].notna()]
    found: Values = {}
    columns = (done[name].tolist() for name in ("scenario", "method", "metric", "seed", "value"))
    for scenario, method, metric, seed, value in zip(*columns, strict=True):
        if math.isfinite(value):
            found.setdefault((scenario, method, metric), {})[int(seed)] = float(value)
    return {key: dict(sorted(per_seed.items())) for key, per_seed in found.items()}


def collected_of_tables(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The collected frame that table frames rest on, as far as they show it; each value once.

    A cell without any value gives one row without a seed (-1) that has its status and reason.
    """
    import pandas as pd

    rows: dict[tuple[str, str, int, str], tuple[object, ...]] = {}
    for frame in frames:
        for row in frame.to_dict("records"):
            where = (row["scenario"], row["method"])
            for seed, value in zip(row["seeds"], row["values"], strict=True):
                rows[(*where, seed, row["metric"])] = (*where, seed, row["metric"], value, "ok", row["reason"])
            if not row["seeds"]:
                rows[(*where, -1, row["metric"])] = (
                    *where, -1, row["metric"], math.nan, row["status"], row["reason"],
                )  # fmt: skip
    return pd.DataFrame(list(rows.values()), columns=list(COLUMNS))


def resolve(metric: str, scenario: str, values: Mapping[CellKey, object]) -> str:
    """Our name of a metric on a scenario: that of samples with the extractor that the scenario is judged with.

    Empty where the scenario has none, or more than one, which cannot be compared.
    """
    names = {key[2] for key in values if key[0] == scenario and metric in (key[2], key[2].partition("@")[0])}
    return names.pop() if len(names) == 1 else ""
