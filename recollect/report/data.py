"""All results as one long table, and their description as an RO-Crate."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recollect.errors import RecollectError
from recollect.files import canonical_json
from recollect.report.model import Group
from recollect.report.runs import Run
from recollect.tables.metric_info import metric_info

if TYPE_CHECKING:
    import pandas as pd

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/crate/1.1"
WORDS = {
    "suite": "suite of runs", "scenario": "data and order of tasks", "method": "method or baseline",
    "seed": "seed of split, initialisation and run", "metric": "name of the metric, of samples with its extractor",
    "value": "value in the unit of the data; missing where the run gave none",
    "unit": "unit of the value", "direction": "which side is better", "status": "ok, or how the run failed",
    "reason": "why there is no value, or what must be known of it", "code_fingerprint": "hash of the code",
    "split_sha256": "hash of the split manifest", "settings": "settings of the method, JSON",
    "commit": "commit of the checkout", "device": "processor or accelerator",
}  # fmt: skip
"""Columns of the long table."""


def long_frame(groups: Sequence[Group]) -> pd.DataFrame:
    """One row per run and metric, with where it comes from."""
    import pandas as pd

    parts = []
    for group in groups:
        part = group.collected.copy()
        part["value"] = pd.to_numeric(part["value"], errors="coerce")
        part["seed"] = part["seed"].astype("int64")
        part.insert(0, "suite", group.name)
        infos = {name: _unit_and_direction(str(name)) for name in part["metric"].unique()}
        part["unit"] = [infos[name][0] for name in part["metric"]]
        part["direction"] = [infos[name][1] for name in part["metric"]]
        facts = {run.key: _facts(run) for run in group.runs}
        keys = zip(part["scenario"], part["method"], part["seed"], strict=True)
        found = [facts.get(key, ("",) * 5) for key in keys]
        for place, name in enumerate(("code_fingerprint", "split_sha256", "settings", "commit", "device")):
            part[name] = [fact[place] for fact in found]
        parts.append(part)
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in WORDS})
    joined = pd.concat(parts, ignore_index=True)[list(WORDS)]
    texts = [name for name in WORDS if name not in ("seed", "value")]
    joined[texts] = joined[texts].fillna("").astype(str)
    return joined


def _facts(run: Run) -> tuple[str, ...]:
    commit, device = (run.environment.get(name) for name in ("commit", "device"))
    words = (
        value if isinstance(value, str) else canonical_json(value) if value else "" for value in (commit, device)
    )
    return (run.code, run.split, canonical_json(run.settings), *words)


def _unit_and_direction(metric: str) -> tuple[str, str]:
    try:
        info = metric_info(metric)
    except RecollectError:
        return "", ""
    return info.data_unit, info.direction


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """The frame as a Parquet file; same frame and package versions, same bytes."""
    file = io.BytesIO()
    frame.to_parquet(file, engine="pyarrow", index=False, compression="zstd")
    return file.getvalue()


def ro_crate(
    groups: Sequence[Group], title: str, files: Mapping[str, tuple[str, str, int]], date: str
) -> dict[str, Any]:
    """RO-Crate 1.1 metadata of the folder of a report.

    Args:
        groups: suites.
        title: of the page.
        files: name -> (media type, SHA-256, bytes).
        date: of publication, ISO 8601: that of the commit, so that the same commit gives the same file.
    """
    parts = [{"@id": name} for name in files]
    actions = [_action(group) for group in groups]
    root = {
        "@id": "./", "@type": "Dataset", "name": title, "hasPart": parts, "datePublished": date,
        "description": "Continual-learning results with provenance: tables, verdicts, claims and all values.",
        "mentions": [{"@id": action["@id"]} for action in actions],
        "variableMeasured": [{"@id": f"#{name}"} for name in WORDS],
    }  # fmt: skip
    descriptor = {
        "@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
        "conformsTo": {"@id": PROFILE},
    }  # fmt: skip
    entities = [
        {"@id": name, "@type": "File", "encodingFormat": kind, "sha256": digest, "contentSize": str(size)}
        for name, (kind, digest, size) in files.items()
    ]
    columns = [{"@id": f"#{n}", "@type": "PropertyValue", "name": n, "description": w} for n, w in WORDS.items()]
    software = {"@id": "#recollect", "@type": "SoftwareApplication", "name": "Recollect"}
    return {"@context": CONTEXT, "@graph": [descriptor, root, software, *entities, *actions, *columns]}


def _action(group: Group) -> dict[str, Any]:
    """How the suite was made."""
    commits = sorted({str(run.environment.get("commit") or "") for run in group.runs} - {""})
    return {
        "@id": f"#suite-{group.name}", "@type": "CreateAction", "name": f"Suite {group.name}",
        "instrument": {"@id": "#recollect"}, "description": group.command,
        "result": {"@id": "results.parquet"}, "softwareVersion": ", ".join(commits),
    }  # fmt: skip
