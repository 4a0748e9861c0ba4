"""Claims that papers make, declared in config/claims/*.yaml, checked before anything is tested."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recollect.config.schema import ConfigError, read_yaml, suggestion, validate
from recollect.layout import ROOT

CLAIMS_FOLDER = ROOT / "config" / "claims"
DIFFERENCE, ORDERING, CONSTANT, EQUALS = "difference", "ordering", "constant", "equals"


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper and how it is tested; which fields count depends on its kind.

    difference: method is better than against by at least a margin (or a share of against's value), on each
        scenario or on average over them.
    ordering: methods in `order`, best first, hold this order on every scenario.
    constant: a quantity of method stays within a share of its largest value from the first task to the last.
    where_run: every scenario stands for itself, those without runs are left out.
    equals: method's value (or its signed difference to against, better side positive) is value within tolerance.
    """

    id: str
    paper: str
    says: str
    source: str
    kind: str
    scenarios: tuple[str, ...]
    metric: str = ""
    order: tuple[str, ...] = ()
    method: str = ""
    against: str = ""
    at_least: float = 0.0
    at_least_share: float = 0.0
    average: bool = False
    where_run: bool = False
    quantity: str = ""
    value: float = 0.0
    tolerance: float = 0.0

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that it names."""
        return self.order or tuple(name for name in (self.method, self.against) if name)


def load_claims(
    methods: Collection[str] | None = None, scenarios: Collection[str] | None = None, folder: Path = CLAIMS_FOLDER
) -> list[Claim]:
    """All claims, file by file.

    Args:
        methods, scenarios: all there are; names that are neither there nor planned are refused. None: not checked.
        folder: of the YAML files.

    Raises:
        ConfigError: a file or name is not as it should be, or an id is there twice.
    """
    claims = [claim for path in sorted(folder.glob("*.yaml")) for claim in _read(path, methods, scenarios)]
    ids = [claim.id for claim in claims]
    for claim in claims:
        if ids.count(claim.id) > 1:
            raise ConfigError(f"claim {claim.id!r} is there twice below {folder}: rename one")
    return claims


def _read(path: Path, methods: Collection[str] | None, scenarios: Collection[str] | None) -> list[Claim]:
    declared = read_yaml(path)
    validate(declared, "claims", [path])
    planned = declared.get("planned", {})
    claims = [_claim(entry, declared["title"]) for entry in declared["claims"]]
    for claim in claims:
        where = f"claim {claim.id} in {path}"
        _check_names(claim.methods, methods, planned.get("methods", []), f"{where}, method")
        _check_names(claim.scenarios, scenarios, planned.get("scenarios", []), f"{where}, scenario")
        _check_metric(claim, where)
    return claims


def _claim(entry: dict[str, Any], paper: str) -> Claim:
    values: dict[str, Any] = {**entry, "paper": paper}
    values |= {key: tuple(entry[key]) for key in ("scenarios", "order") if key in entry}
    return Claim(**values)


def _check_names(names: Collection[str], known: Collection[str] | None, planned: list[str], where: str) -> None:
    if known is None:
        return
    for name in names:
        if name not in known and name not in planned:
            hint = suggestion(name, [*known, *planned])
            raise ConfigError(f"{where} {name!r} has no entry and is not planned: {hint}")


def _check_metric(claim: Claim, where: str) -> None:
    from recollect.tables.metric_info import METRICS, ROBUSTNESS_METRICS, SAMPLE_METRICS

    known = [*METRICS, *SAMPLE_METRICS, *ROBUSTNESS_METRICS]
    if claim.metric and claim.metric not in known:
        raise ConfigError(f"{where}, unknown metric {claim.metric!r}: {suggestion(claim.metric, known)}")
    if claim.kind == EQUALS and not claim.tolerance > 0:
        raise ConfigError(f"{where} needs a tolerance above zero: equality can only be shown within one")
