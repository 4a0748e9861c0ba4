"""From the collected frame to the one tidy frame that every rendering of a table reads."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.stats import compare_paired_rows, holm, mean_interval_rows
from recollect.stats.paired import NO_PAIRS
from recollect.tables.cells import Cell, make_cell
from recollect.tables.collected import CellKey, index_collected
from recollect.tables.columns import COLUMNS, DEFAULTS, Row
from recollect.tables.compare import add_published, with_published_only
from recollect.tables.declaration import TableSpec, parse_declaration
from recollect.tables.metric_info import metric_info
from recollect.tables.published import index_published

if TYPE_CHECKING:
    import pandas as pd


def build_table(
    collected: "pd.DataFrame",
    declaration: Mapping[str, Any],
    *,
    published: "pd.DataFrame | None" = None,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> "pd.DataFrame":
    """Build the tidy table: one row per scenario x method x metric, columns as in `DEFAULTS`.

    Values are in the unit of the data (`unit`); every planned seed is in `seeds` or named in `reason`. Methods
    that only the published frame has follow at the end of their scenario.

    Args:
        collected: tidy frame with scenario, method, seed, metric, value, status, reason.
        declaration: the table as the suite declares it, see `TableSpec`.
        published: published numbers with scenario, method, metric, value, std, source; may have more,
            see `recollect.tables.published`.
        confidence, n_resamples: coverage and number of resamples of the bootstrap intervals.
        seed: the config seed; same seed and same data give the same bytes.

    Raises:
        RecollectError: the declaration or a frame is not as it should be; see the parts.
    """
    import pandas as pd

    spec = parse_declaration(declaration)
    found = index_collected(collected, spec)
    keys = [(s, m, metric) for s in spec.scenarios for m in spec.methods for metric in spec.metrics]
    cells = {key: make_cell(found, spec, *key) for key in keys}
    rows = {key: _plain_row(spec, key, cell) for key, cell in cells.items()}
    options = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed}
    _add_intervals(rows, cells, options)
    if spec.reference is not None:
        _add_comparisons(rows, cells, spec, options)
        _add_holm(rows, spec)
    references = index_published(published, spec)
    rows = with_published_only(rows, references, spec)
    add_published(rows, references, spec)
    for row in rows.values():
        row.update(confidence=confidence, n_resamples=n_resamples, bootstrap_seed=seed)
    return pd.DataFrame(list(rows.values()), columns=list(COLUMNS))


def _plain_row(spec: TableSpec, key: CellKey, cell: Cell) -> Row:
    scenario, method, metric = key
    info = metric_info(metric)
    return {
        **DEFAULTS,
        "table": spec.id,
        "scenario": scenario,
        "method": method,
        "label": spec.label(method),
        "metric": metric,
        "unit": info.data_unit,
        "direction": info.direction,
        "status": cell.status,
        "reason": cell.reason,
        "n_seeds": len(cell.values),
        "n_expected": cell.n_expected,
        "seeds": list(cell.values),
        "values": list(cell.values.values()),
        "reference": spec.reference or "",
    }


def _add_intervals(rows: dict[CellKey, Row], cells: dict[CellKey, Cell], options: dict[str, Any]) -> None:
    """Bootstrap all cells with the same number of seeds together."""
    by_size: dict[int, list[CellKey]] = {}
    for key, cell in cells.items():
        if cell.values:
            by_size.setdefault(len(cell.values), []).append(key)
    for same_size in by_size.values():
        matrix = np.array([list(cells[key].values.values()) for key in same_size])
        stats = mean_interval_rows(matrix, **options)
        for key, mean, low, high, std in zip(same_size, *(part.tolist() for part in stats), strict=True):
            rows[key].update(mean=mean, ci_low=low, ci_high=high, std=std)


def _add_comparisons(
    rows: dict[CellKey, Row], cells: dict[CellKey, Cell], spec: TableSpec, options: dict[str, Any]
) -> None:
    """Compare every cell with the reference's on their common seeds, cells of equal size together."""
    by_size: dict[int, list[tuple[CellKey, list[float], list[float]]]] = {}
    for key in rows:
        if key[1] == spec.reference:
            continue
        ours, theirs = cells[key].values, cells[key[0], str(spec.reference), key[2]].values
        common = [seed for seed in ours if seed in theirs]
        rows[key].update(n_pairs=len(common), paired_note="" if common else NO_PAIRS)
        if common:
            pair = (key, [ours[seed] for seed in common], [theirs[seed] for seed in common])
            by_size.setdefault(len(common), []).append(pair)
    for pairs in by_size.values():
        ours_rows, theirs_rows = np.array([pair[1] for pair in pairs]), np.array([pair[2] for pair in pairs])
        stats = compare_paired_rows(ours_rows, theirs_rows, **options)
        columns = [part.tolist() for part in stats[:5]]
        for (key, _, _), diff, low, high, p_t, effect, note in zip(pairs, *columns, stats.note, strict=True):
            rows[key].update(diff_ref=diff, diff_ref_low=low, diff_ref_high=high)
            rows[key].update(p_t=p_t, effect=effect, paired_note=note)


def _add_holm(rows: dict[CellKey, Row], spec: TableSpec) -> None:
    """Adjust over all methods of a column but the reference; one that failed still counts in the family."""
    for scenario in spec.scenarios:
        for metric in spec.metrics:
            others = [method for method in spec.methods if method != spec.reference]
            family = [rows[scenario, method, metric] for method in others]
            for row, adjusted in zip(family, holm([row["p_t"] for row in family]), strict=True):
                row["p_holm"] = float(adjusted)
