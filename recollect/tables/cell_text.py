"""The words and numbers of a single cell, the same in every format."""

import math
from typing import Any

from recollect.stats import paired
from recollect.tables.metric_info import metric_info

Row = dict[str, Any]

NOTHING = "-"


def mean_text(row: Row) -> str:
    """`mean [low, high]`, or the status in words where there is no value."""
    if row["n_seeds"] == 0:
        return str(row["status"])
    info = metric_info(row["metric"])
    if row["n_seeds"] == 1:
        return f"{info.show(row['mean'])} (one seed)"
    return f"{info.show(row['mean'])} [{info.show(row['ci_low'])}, {info.show(row['ci_high'])}]"


def delta_text(row: Row) -> str:
    """Paired difference with interval, Holm-adjusted p and effect size; words where one is missing."""
    if row["method"] == row["reference"]:
        return "reference"
    if row["n_pairs"] == 0:
        return "no pair" if row["n_seeds"] else NOTHING
    info = metric_info(row["metric"])
    diff = info.show(row["diff_ref"], sign=True)
    if row["n_pairs"] == 1:
        return f"{diff} (one pair)"
    low, high = (info.show(row[end], sign=True) for end in ("diff_ref_low", "diff_ref_high"))
    pairs = "" if row["n_pairs"] == row["n_seeds"] else f" ({row['n_pairs']} pairs)"
    return f"{diff} [{low}, {high}]{pairs}, {_test_text(row)}"


def _test_text(row: Row) -> str:
    if row["paired_note"] == paired.NO_DIFFERENCE:
        return "no difference in any seed"
    if math.isnan(row["p_holm"]):
        return "same difference in every seed"
    p = "p<0.001" if row["p_holm"] < 0.001 else f"p={row['p_holm']:.3f}"
    return p if math.isnan(row["effect"]) else f"{p}, d={row['effect']:+.2f}"


def published_texts(row: Row) -> tuple[str, str, str]:
    """Published value, reproduced minus published, and verdict."""
    info = metric_info(row["metric"])
    if math.isnan(row["published"]):
        return NOTHING, NOTHING, str(row["verdict"])
    value = info.show(row["published"])
    if not math.isnan(row["published_std"]):
        value += f" ± {info.show(row['published_std'])}"
    gap = NOTHING if math.isnan(row["difference"]) else info.show(row["difference"], sign=True)
    return value, gap, str(row["verdict"])
