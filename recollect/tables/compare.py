"""Published beside reproduced: differences, verdicts, and rows of methods that are published only."""

from collections.abc import Mapping

from recollect.tables.collected import CellKey
from recollect.tables.columns import DEFAULTS, Row
from recollect.tables.declaration import TableSpec
from recollect.tables.metric_info import metric_info
from recollect.tables.published import NOTHING, Published
from recollect.tables.verdict import CANNOT_TELL, FAILED, NOT_RUN, Reproduced, Verdict, verdict

NOT_SHOWN = "not in this table"
EXCHANGED = ", labels exchanged"
MISSING = {"failed": FAILED, "diverged": FAILED, "no value": CANNOT_TELL}
"""Kind of verdict by the status of a cell without a number: it broke, or this metric is not defined for it."""

Rows = dict[CellKey, Row]
References = Mapping[CellKey, Published]


def with_published_only(rows: Rows, references: References, spec: TableSpec) -> Rows:
    """The rows with one more for every metric of a method that only the publication has, scenario by scenario."""
    more = dict(rows)
    for (scenario, method, _), published in references.items():
        if method in spec.methods:
            continue
        for metric in spec.metrics:
            more.setdefault((scenario, method, metric), _published_only(spec, scenario, method, metric, published))
    order = {scenario: i for i, scenario in enumerate(spec.scenarios)}
    return dict(sorted(more.items(), key=lambda item: order[item[0][0]]))


def _published_only(spec: TableSpec, scenario: str, method: str, metric: str, published: Published) -> Row:
    info = metric_info(metric)
    name = published.published_as or method
    status = published.status or NOT_SHOWN
    reason = f"compared with {method}, which this table does not show" if status == NOT_SHOWN else ""
    row = {**DEFAULTS, "table": spec.id, "scenario": scenario, "method": method, "label": name, "metric": metric}
    row |= {"unit": info.data_unit, "direction": info.direction, "status": status, "reason": reason}
    return {**row, "seeds": [], "values": [], "reference": spec.reference or ""}


def add_published(rows: Rows, references: References, spec: TableSpec) -> None:
    """Fill in published values, differences and verdicts."""
    for key, row in rows.items():
        published = references.get(key, NOTHING)
        threshold = spec.threshold(key[2])
        named = published.published_as not in ("", row["label"])
        notes = [f"published as {published.published_as}" if named else "", published.note]
        row.update(
            published=published.value,
            published_std=published.std,
            published_as=published.published_as,
            published_source=published.source,
            published_note="; ".join(note for note in notes if note),
            difference=row["mean"] - published.value,
            differs=published.differs,
            agreement=threshold,
        )
        _set_verdict(row, _judge(row, published, spec))
    for key in rows:
        _consider_exchange(key, rows, references, spec)


def _judge(row: Row, published: Published, spec: TableSpec) -> Verdict:
    return judge_row(row, published.value, spec.threshold(row["metric"]), published.differs)


def judge_row(row: Row, published: float, threshold: float, differs: str = "") -> Verdict:
    """The verdict on a row against a published value, in the unit of the data."""
    missing = MISSING.get(row["status"], NOT_RUN)
    ours = Reproduced(row["mean"], row["ci_low"], row["ci_high"], row["n_seeds"], row["std"], missing)
    return verdict(published, ours, metric_info(row["metric"]), threshold, differs)


def _set_verdict(row: Row, found: Verdict, suffix: str = "") -> None:
    row.update(verdict=found.text + suffix, verdict_kind=found.kind, p_tost=found.p_tost)


def _consider_exchange(key: CellKey, rows: Rows, references: References, spec: TableSpec) -> None:
    """Say in which order a pair of metrics agrees whose published labels may be exchanged.

    The pair counts as exchanged only if both then agree, and not as labelled. Published values and
    differences stay as labelled, so that the row still says what the publication says.
    """
    published = references.get(key, NOTHING)
    other = (*key[:2], published.exchangeable)
    row, partner, theirs = rows[key], rows.get(other), references.get(other)
    if partner is None or theirs is None or theirs.value == published.value or published.differs:
        return
    if row["n_seeds"] == 0 or partner["n_seeds"] == 0:
        return
    here, there = metric_info(key[2]).label, metric_info(other[2]).label
    as_labelled = _judge(row, published, spec).agrees and _judge(partner, theirs, spec).agrees
    swapped = _judge(row, theirs, spec)
    exchanged = swapped.agrees and _judge(partner, published, spec).agrees
    if exchanged and not as_labelled:
        _set_verdict(row, swapped, EXCHANGED)
    names = " and ".join(sorted((here, there)))
    order = _order(as_labelled, exchanged)
    row["verdict_note"] = f"{names} may be exchanged in the publication; the reproduced pair agrees {order}"


def _order(as_labelled: bool, exchanged: bool) -> str:
    if as_labelled and exchanged:
        return "in either order"
    if exchanged:
        return "with the published values exchanged, not as labelled"
    return "as labelled, not exchanged" if as_labelled else "in neither order"
