"""Keep: copy a finished suite's tables, with the provenance of every run, to where results are committed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from recollect.errors import RecollectError
from recollect.files import read_json, write_bytes, write_json
from recollect.steps.places import Places

KEPT = (".csv", ".md", ".tex")
SHARED = ("versions", "device", "git")
"""Facts that most runs of a suite agree on; every distinct value is listed."""


def _distinct(records: list[dict[str, Any]], key: str) -> list[Any]:
    found: list[Any] = []
    for record in records:
        if record[key] not in found:
            found.append(record[key])
    return found


def provenance(records: list[dict[str, Any]], command: str) -> dict[str, Any]:
    """One small document: command, environment, data, splits, and per method settings, code and seeds."""
    runs: dict[str, dict[str, Any]] = defaultdict(dict)
    splits: dict[str, dict[str, str]] = defaultdict(dict)
    for record in records:
        splits[record["scenario"]][str(record["seed"])] = record["split_sha256"]
        entry = runs[record["scenario"]].setdefault(
            record["method"],
            {"config": record["config"]["method"], "code_fingerprint": record["code_fingerprint"], "seeds": {}},
        )
        entry["seeds"][str(record["seed"])] = {
            "status": record["status"],
            "train_s": record["wall_s"].get("train"),
            "ram_mb": record.get("ram_mb"),
            "carried_bytes": record.get("carried_bytes"),
        }
    data: dict[str, str] = {}
    for record in records:
        data |= dict(zip(record["config"]["scenario"]["datasets"], record["data_sha256"], strict=True))
    return {
        "command": command,
        **{key: _distinct(records, key) for key in SHARED},
        "data_sha256": data,
        "splits_sha256": splits,
        "scenarios": {r["scenario"]: r["config"]["scenario"] for r in records},
        "engine": _distinct([r["config"] for r in records], "engine"),
        "runs": runs,
    }


def keep(suite: str, places: Places, target: Path, command: str) -> list[Path]:
    """Copy the tables of ``suite`` to ``target`` and write ``provenance.json`` beside them.

    Raises:
        RecollectError: the suite has no tables or a run record is missing.
    """
    tables = sorted(path for path in places.tables(suite).glob("*") if path.suffix in KEPT)
    if not tables:
        raise RecollectError(f"no table in {places.tables(suite)}: run the suite first")
    keys = {tuple(line.split(",")[:3]) for line in places.collected(suite).read_text().splitlines()[1:]}
    paths = [places.run(s, m, k) / "run.json" for s, m, k in sorted(keys)]
    records = [read_json(path, "run the suite again") for path in paths if path.is_file()]
    for path in tables:
        write_bytes(target / path.name, path.read_bytes())
    write_json(target / "provenance.json", provenance(records, command), seal=False)
    return [*(target / path.name for path in tables), target / "provenance.json"]
