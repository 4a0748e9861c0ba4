"""What is known of every run: how it ended, with which settings, code, data and environment, and how to run it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run; what is not known is empty or None.

    settings: of the method; scenario_settings: of the scenario; environment: versions, device, engine, commit.
    carried: bytes after every task, empty where not stored. extractor: id and hash of the weights that
    judged its samples.
    """

    scenario: str
    method: str
    seed: int
    status: str
    reason: str = ""
    code: str = ""
    split: str = ""
    data: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    scenario_settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    train_s: float | None = None
    carried: tuple[float, ...] = ()
    extractor: tuple[str, str] | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """(scenario, method, seed)"""
        return self.scenario, self.method, self.seed

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"{self.scenario}/{self.method} seed {self.seed}"


def with_target(suite_command: str) -> str:
    """The command of a suite with a place `{target}` for one file; it goes before options with several values."""
    return re.sub(r"\bsnakemake\b", "snakemake {target}", suite_command, count=1)


def run_of_record(record: Mapping[str, Any], extractor: tuple[str, str] | None = None) -> Run:
    """A run from its run.json.

    Raises:
        KeyError, TypeError: it is no record of a run.
    """
    scenario, method, seed = str(record["scenario"]), str(record["method"]), int(record["seed"])
    config = record["config"]
    environment = {
        "commit": record["git"].get("commit"),
        "uncommitted changes": record["git"].get("dirty"),
        "device": record["device"],
        **config.get("engine", {}),
        "versions": record["versions"],
    }
    return Run(
        scenario, method, seed, record["status"], record["reason"], record["code_fingerprint"],
        record["split_sha256"], tuple(record["data_sha256"]), config["method"], config["scenario"], environment,
        record["wall_s"].get("train"), tuple(record["carried_bytes"]), extractor,
    )  # fmt: skip


def runs_of_provenance(provenance: Mapping[str, Any]) -> list[Run]:
    """Runs as a committed provenance.json lists them; facts that its runs do not share stay lists.

    Raises:
        KeyError, TypeError, AttributeError: it is no provenance.
    """
    only = {key: _only(provenance[key]) for key in ("versions", "device", "git", "engine")}
    git = only["git"] if isinstance(only["git"], Mapping) else {"commit": only["git"], "dirty": None}
    environment = {"commit": git.get("commit"), "uncommitted changes": git.get("dirty"), "device": only["device"]}
    engine = only["engine"] if isinstance(only["engine"], Mapping) else {"engine": only["engine"]}
    environment |= {**engine, "versions": only["versions"]}
    runs = []
    for scenario, methods in provenance["runs"].items():
        settings = provenance["scenarios"][scenario]
        data = tuple(provenance["data_sha256"].get(name, "") for name in settings["datasets"])
        for method, entry in methods.items():
            for seed, found in entry["seeds"].items():
                split = provenance["splits_sha256"][scenario][seed]
                runs.append(
                    Run(
                        scenario, method, int(seed), found["status"], "", entry["code_fingerprint"], split, data,
                        entry["config"], settings, environment, found["train_s"],
                    )
                )  # fmt: skip
    return runs


def _only(values: Sequence[Any]) -> Any:
    """The value that all runs share, else all of them."""
    return values[0] if len(values) == 1 else list(values)


def carried_bytes(runs: Sequence[Run]) -> dict[tuple[str, str], dict[int, Sequence[float]]]:
    """Bytes carried after every task, of finished runs that stored them."""
    found: dict[tuple[str, str], dict[int, Sequence[float]]] = {}
    for run in runs:
        if run.status == "ok" and run.carried:
            found.setdefault((run.scenario, run.method), {})[run.seed] = run.carried
    return found
