"""The notes under a table: how every number in it was made."""

from recollect.stats.holm import smallest_wilcoxon_p
from recollect.tables.cell_text import Row
from recollect.tables.declaration import TableSpec
from recollect.tables.metric_info import metric_info


def table_notes(records: list[Row], spec: TableSpec) -> tuple[str, ...]:
    """Notes that hold for the whole table, in reading order."""
    notes = [spec.note] if spec.note else []
    for metric in spec.metrics:
        info = metric_info(metric)
        better = "higher" if info.direction == "up" else "lower"
        notes.append(f"{info.label} ({info.name}): {info.definition} {better.capitalize()} is better.")
    if any(metric_info(metric).unit == "%" for metric in spec.metrics):
        notes.append("R[t,i]: accuracy on task i after training task t, i and t from 1 to T.")
    notes += _interval_notes(records)
    if spec.reference is not None:
        notes.append(_comparison_note(records, spec))
    sources = sorted({row["published_source"] for row in records if row["published_source"]})
    if sources:
        notes.append("Verdict: where the published value lies relative to the reproduced interval.")
        notes.append(f"Published values: {'; '.join(sources)}.")
    return tuple(notes)


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
