"""The words and numbers of a single cell, the same in every format."""

import math

from recollect.stats import paired
from recollect.tables.columns import Row
from recollect.tables.metric_info import MetricInfo, metric_info

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


def published_text(row: Row) -> str:
    """The published value with its standard deviation, with no more digits than were published."""
    info = metric_info(row["metric"])
    if math.isnan(row["published"]):
        return NOTHING
    value = _short(row["published"], info)
    return value if math.isnan(row["published_std"]) else f"{value} ± {_short(row['published_std'], info)}"


def difference_text(row: Row) -> str:
    """Reproduced minus published."""
    if math.isnan(row["difference"]):
        return NOTHING
    return metric_info(row["metric"]).show(row["difference"], sign=True)


def _short(value: float, info: MetricInfo) -> str:
    text = info.show(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
