"""The notes under a table: how every number in it was made."""

import math

from recollect.stats.holm import smallest_wilcoxon_p
from recollect.tables.columns import Row
from recollect.tables.declaration import TableSpec
from recollect.tables.metric_info import metric_info
from recollect.tables.verdict import CANNOT_TELL, threshold_text


def table_notes(records: list[Row], spec: TableSpec) -> tuple[str, ...]:
    """Notes that hold for the whole table, in reading order."""
    notes = [spec.note] if spec.note else []
    for metric in spec.metrics:
        info = metric_info(metric)
        better = "higher" if info.direction == "up" else "lower"
        notes.append(f"{info.label} ({info.name}): {info.definition} {better.capitalize()} is better.")
    if any("R[" in metric_info(metric).definition for metric in spec.metrics):
        notes.append("R[t,i]: accuracy on task i after training task t, i and t from 1 to T.")
    notes += _interval_notes(records)
    if spec.reference is not None:
        notes.append(_comparison_note(records, spec))
    return (*notes, *_published_notes(records, spec))


def _interval_notes(records: list[Row]) -> list[str]:
    first = records[0]
    percent = f"{100 * first['confidence']:g} %"
    seeds = sorted({seed for row in records for seed in row["seeds"]})
    which = f"seeds {', '.join(map(str, seeds))}" if seeds else "no seed has a result"
    notes = [
        f"Mean over seeds with {percent} percentile bootstrap interval ({first['n_resamples']} resamples"
        f" of the seeds, random seed {first['bootstrap_seed']}); {which}. No value is marked as best."
    ]
    few = any(1 < row["n_seeds"] <= 10 for row in records)
    if few and first["confidence"] == 0.95:
        notes.append(
            "With few seeds this interval is narrow: for normal data it covers the true mean about 75 times"
            " in 100 with 3 seeds, 84 with 5, 90 with 10."
        )
    return notes


def _published_notes(records: list[Row], spec: TableSpec) -> list[str]:
    known = [row for row in records if not math.isnan(row["published"])]
    if not known:
        return []
    limits = [_threshold_note(row) for row in known if not math.isnan(row["agreement"])]
    near = f", or if they are no further apart than {', '.join(dict.fromkeys(limits))}" if limits else ""
    text = (
        "Difference: reproduced minus published. Verdict: the two agree if the published value lies in the"
        f" reproduced interval{near}; else the reproduced value is better or worse."
    )
    if any(row["verdict_kind"] == CANNOT_TELL for row in known):
        text += " A published value inside an interval that is wider than the threshold is no agreement."
    if any(row["differs"] and row["n_seeds"] for row in known):
        text += " Ordering only: the values cannot be compared, only the order of methods; a note says why."
    if any(row["n_seeds"] == 1 for row in known):
        text += " One seed gives no interval" + (", then only the threshold counts." if limits else ".")
    sources = sorted({row["published_source"] for row in known if row["published_source"]})
    notes = [text, f"Published values: {'; '.join(sources)}."] if sources else [text]
    return [*notes, *spec.published_notes]


def _threshold_note(row: Row) -> str:
    info = metric_info(row["metric"])
    amount = threshold_text(row["agreement"], info)
    return f"{amount} {'of' if info.unit == '%' else 'of the published'} {info.label}"


def _comparison_note(records: list[Row], spec: TableSpec) -> str:
    pairs = sorted({int(row["n_pairs"]) for row in records if row["n_pairs"] >= 2})
    floor = smallest_wilcoxon_p(pairs[0]) if pairs else 0.0
    weak = f" (Wilcoxon's test on {pairs[0]} pairs cannot go below {floor:g})" if floor > 0.05 else ""
    return (
        f"Δ: mean difference to {spec.label(str(spec.reference))} over common seeds with paired bootstrap"
        " interval; accuracies differ by percentage points. p: two-sided paired t-test"
        f"{weak}, Holm-adjusted over the {len(spec.methods) - 1} other method(s) of the column."
        " d: d_z with Hedges' small-sample correction."
    )
