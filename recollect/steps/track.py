"""Track: finished runs go into the MLflow store. The files stay the truth, the store can be rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recollect.files import read_json, write_json
from recollect.steps.places import Places
from recollect.steps.suite_pairs import expected, pairs
from recollect.steps.tables import read_collected
from recollect.tracking import ingest


def records(suite: dict[str, Any], places: Places) -> Iterator[dict[str, Any]]:
    """Run records with their accuracy matrix; generators have none."""
    matrices: dict[tuple[str, str, int], Any] = {}
    for scenario, method in pairs(suite):
        stored = read_json(places.metrics(scenario, method), "run the evaluate step again")
        matrices |= {(scenario, method, run["seed"]): run.get("matrix") for run in stored["runs"]}
    for key in expected(suite):
        path = places.run(*key) / "run.json"
        record = read_json(path, "delete the folder of this run and run again")
        yield record if matrices[key] is None else {**record, "R": matrices[key]}


def track(suite: dict[str, Any], places: Places, uri: str, receipt: Path) -> None:
    """Write a suite's runs into the store at ``uri`` and then the receipt."""
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    collected = read_collected(places.collected(suite["suite"]))
    report = ingest(records(suite, places), collected, uri, experiment=suite["suite"])
    counts = {"created": report.created, "replaced": report.replaced, "unchanged": report.unchanged}
    write_json(receipt, {"store": uri, "experiment": suite["suite"], **counts})
