"""A table as a suite file declares it, checked."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from recollect.errors import RecollectError
from recollect.tables.metric_info import metric_info
from recollect.tables.suggest import did_you_mean


@dataclass(frozen=True)
class TableSpec:
    """One table: its rows (methods) and columns (metrics) for each scenario.

    `expected` maps (scenario, method) to the seeds that were planned; None where the suite does
    not say, and then the seeds found in the collected frame are taken as the plan. `agreement` maps
    metrics, without `@<extractor>`, to how far from a published value still agrees with it, see
    `recollect.tables.verdict`; `published_notes` is what readers should know about published values.
    """

    id: str
    title: str
    scenarios: tuple[str, ...]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    reference: str | None
    note: str
    labels: Mapping[str, str]
    expected: Mapping[tuple[str, str], tuple[int, ...]] | None
    agreement: Mapping[str, float]
    published_notes: tuple[str, ...]

    def label(self, method: str) -> str:
        """Name of a method as readers see it."""
        return self.labels.get(method, method)

    def threshold(self, metric: str) -> float:
        """How far from its published value a metric still agrees with it; NaN if that is not said."""
        return self.agreement.get(metric.partition("@")[0], math.nan)


def parse_declaration(declaration: Mapping[str, Any]) -> TableSpec:
    """Check a declaration read from YAML.

    Raises:
        RecollectError: a key is unknown, missing or of the wrong type, or a name is unknown or twice.
    """
    where = f"table '{declaration.get('id', '?')}'"
    allowed = [field.name for field in fields(TableSpec)]
    for key in declaration:
        if key not in allowed:
            raise RecollectError(f"{where}: unknown key '{key}'.{did_you_mean(str(key), allowed)}")
    spec = TableSpec(
        id=_identifier(declaration.get("id"), where),
        title=str(declaration.get("title") or declaration["id"]),
        scenarios=_names(declaration, "scenarios", where),
        methods=_names(declaration, "methods", where),
        metrics=_names(declaration, "metrics", where),
        reference=declaration.get("reference"),
        note=str(declaration.get("note") or ""),
        labels={str(key): str(text) for key, text in (declaration.get("labels") or {}).items()},
        expected=_expected(declaration.get("expected"), where),
        agreement=_agreement(declaration.get("agreement") or {}, where),
        published_notes=tuple(map(str, declaration.get("published_notes") or ())),
    )
    for metric in spec.metrics:
        metric_info(metric)
    if spec.reference is not None and spec.reference not in spec.methods:
        hint = did_you_mean(str(spec.reference), spec.methods)
        raise RecollectError(f"{where}: reference '{spec.reference}' is not among its methods.{hint}")
    return spec


def _identifier(value: object, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise RecollectError(
            f"{where}: 'id' names the output files: letters, digits, '.', '_' or '-'; got {value!r}."
        )
    return value


def _names(declaration: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = declaration.get(key)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise RecollectError(f"{where}: '{key}' must be a list with at least one name, got {value!r}.")
    names = tuple(str(name) for name in value)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RecollectError(f"{where}: '{key}' names {', '.join(twice)} more than once; keep one.")
    return names


def _agreement(value: Any, where: str) -> dict[str, float]:
    try:
        found = {str(metric): float(threshold) for metric, threshold in value.items()}
    except (AttributeError, TypeError, ValueError):
        raise RecollectError(f"{where}: 'agreement' maps metrics to numbers, got {value!r}.") from None
    for metric, threshold in found.items():
        if not 0 < threshold < math.inf:
            raise RecollectError(f"{where}: 'agreement' of {metric} must be above zero, got {threshold}.")
    return found


def _expected(value: Any, where: str) -> dict[tuple[str, str], tuple[int, ...]] | None:
    if value is None:
        return None
    seeds: dict[tuple[str, str], set[int]] = {}
    for entry in value:
        try:
            scenario, method, seed = entry
            seeds.setdefault((str(scenario), str(method)), set()).add(int(seed))
        except (TypeError, ValueError):
            raise RecollectError(
                f"{where}: each entry of 'expected' is (scenario, method, seed), got {entry!r}."
            ) from None
    return {key: tuple(sorted(found)) for key, found in seeds.items()}
