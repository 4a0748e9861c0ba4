"""The split manifest: which sample belongs to which task, with a hash of its own (contract 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recollect.files import canonical_json, sha256_text, write_text
from recollect.scenarios import protocols
from recollect.scenarios.domains import Domains, by_domain
from recollect.scenarios.gaps import Presence, check_modalities, leave_out_unreadable
from recollect.scenarios.protocols import Shares, SplitError, TaskIndices
from recollect.scenarios.sealed import read_sealed, seal

SCHEMA = 1
PARTS = ("train", "validation", "test")
OPTIONS: dict[str, set[str]] = {
    "class-incremental": {
        "n_tasks",
        "class_order",
        "first_task_classes",
        "classes_per_task",
        "drop_remainder",
    },
    "task-incremental": {
        "n_tasks",
        "class_order",
        "first_task_classes",
        "classes_per_task",
        "drop_remainder",
    },
    "permuted-pixels": {"n_tasks"},
    "rotated": {"n_tasks", "max_degrees"},
    "corpora": set(),
    "dirichlet": {"n_tasks", "alpha", "variant"},
    "data-incremental": {"n_tasks"},
    "ordered-continuous": {"n_tasks"},
    "clustered-domains": {"n_tasks", "domains"},
}
"""Protocol -> the scenario keys it understands. Permuted-pixels, rotated, corpora and clustered-domains are
domain-incremental."""


@dataclass(frozen=True)
class SourceData:
    """What a split needs to know of one data set: labels, and who has which modality; never the images."""

    name: str
    sha256: str
    n_classes: int
    n_pixels: int
    train_y: np.ndarray
    test_y: np.ndarray
    presence: Presence | None = None
    domains: Domains | None = None


def label_offsets(sources: Sequence[SourceData], labels: str) -> list[int]:
    """What is added to the labels of each data set: 0 for 'shared' labels, running sums for 'disjoint'."""
    if labels == "shared":
        return [0] * len(sources)
    return [0, *np.cumsum([s.n_classes for s in sources])[:-1].tolist()]


def _bounds(sources: Sequence[SourceData]) -> list[tuple[int, int, int, int]]:
    a, c = (np.concatenate([[0], np.cumsum([len(y) for y in ys])]) for ys in _both(sources))
    return [(int(a[i]), int(a[i + 1]), int(c[i]), int(c[i + 1])) for i in range(len(sources))]


def _both(sources: Sequence[SourceData]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [s.train_y for s in sources], [s.test_y for s in sources]


def _tasks(
    protocol: str, options: dict[str, Any], y: tuple[np.ndarray, np.ndarray], n_classes: int,
    sources: Sequence[SourceData], seed: int,
) -> list[TaskIndices]:  # fmt: skip
    if protocol in ("class-incremental", "task-incremental"):
        return protocols.class_incremental(*y, n_classes, seed, **options)
    if protocol == "permuted-pixels":
        return protocols.permuted_pixels(*y, n_classes, seed, n_pixels=sources[0].n_pixels, **options)
    if protocol == "rotated":
        return protocols.rotated(*y, n_classes, seed, **options)
    if protocol == "corpora":
        return protocols.corpora(*y, _bounds(sources))
    if protocol == "dirichlet":
        return protocols.dirichlet(*y, n_classes, seed, **options)
    if protocol == "ordered-continuous":
        return protocols.ordered_continuous(*y, n_classes, seed, **options)
    return protocols.data_incremental(*y, n_classes, seed, **options)


def make_manifest(scenario: dict[str, Any], sources: Sequence[SourceData], seed: int) -> dict[str, Any]:
    """Split the data.

    Args:
        scenario: a resolved entry of ``config/scenarios.yaml``.
        sources: the data sets it names, in order.
        seed: of the class order, the draws and the validation hold-out.

    Returns:
        The manifest; ``index_sets`` holds each distinct list of row numbers once, tasks refer to them. Where
        ``evaluate_on`` is not ``test``, the manifest says so and its test rows count in the training arrays.
        ``skipped`` is there if samples that could not be decoded were left out, and says how many.

    Raises:
        SplitError: the split is impossible or leaves a task empty, samples could not be decoded or a whole task
            lacks a modality, and the scenario does not allow that.
    """
    protocol = scenario["protocol"]
    options = {key: scenario[key] for key in OPTIONS[protocol] if scenario.get(key) is not None}
    labels = scenario.get("labels", "shared" if protocol == "corpora" else "disjoint")
    offsets = label_offsets(sources, labels)
    train_y, test_y = (np.concatenate([y + o for y, o in zip(ys, offsets, strict=True)]) for ys in _both(sources))
    n_classes = max(s.n_classes + o for s, o in zip(sources, offsets, strict=True))
    shares = Shares.of(scenario)
    evaluated_y = test_y if shares.evaluate_on == "test" else train_y
    if protocol == "clustered-domains":
        tasks = _of_domains(sources, shares, scenario["n_tasks"])
    else:
        tasks = _tasks(protocol, options, (train_y, evaluated_y), n_classes, sources, seed)
    tasks, skipped = _without_gaps(scenario, tasks, sources, shares)
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "protocol": protocol,
        "options": options,
        "labels": labels,
        "validation": shares.validation,
        "seed": seed,
        "datasets": [
            {"name": s.name, "sha256": s.sha256, "label_offset": o} for s, o in zip(sources, offsets, strict=True)
        ],
        "n_classes": n_classes,
        "index_sets": {},
        "tasks": [],
    }  # fmt: skip
    if shares.evaluate_on != "test":
        body |= {"evaluate_on": shares.evaluate_on, "heldout": shares.heldout}
    if any(skipped.values()):
        body["skipped"] = skipped
    if sources[0].domains is not None:
        body["domains_sha256"] = sources[0].domains.sha256
    for number, task in enumerate(tasks):
        parts = shares.cut(task, train_y, seed, number)
        body["tasks"].append(_task_entry(body["index_sets"], number, parts, train_y, evaluated_y, task.transform))
    return seal(body)


def _of_domains(sources: Sequence[SourceData], shares: Shares, n_tasks: int) -> list[TaskIndices]:
    """Tasks of the protocol clustered-domains; nothing is random."""
    domains = sources[0].domains
    if len(sources) > 1 or domains is None:
        raise SplitError("protocol clustered-domains needs one data set and its domains: run the domains step")
    return by_domain(domains.train, domains.test if shares.evaluate_on == "test" else domains.train, n_tasks)


def _without_gaps(
    scenario: dict[str, Any], tasks: list[TaskIndices], sources: Sequence[SourceData], shares: Shares
) -> tuple[list[TaskIndices], dict[str, int]]:
    """Tasks without samples that could not be decoded, and how many of training and test part were left out."""
    parts = [source.presence for source in sources if source.presence is not None]
    if not parts:
        return tasks, {}
    if len(parts) < len(sources):
        raise SplitError("data sets of images and of several modalities do not mix: use one kind")
    presence = Presence.join(parts)
    if shares.evaluate_on != "test":
        presence = presence.evaluated_on_training()
    kept, skipped = leave_out_unreadable(tasks, presence, bool(scenario.get("skip_unreadable")))
    check_modalities(kept, presence, bool(scenario.get("absent_modalities")))
    return kept, skipped


def _task_entry(
    sets: dict[str, list[int]], number: int, parts: Sequence[np.ndarray], train_y: np.ndarray,
    evaluated_y: np.ndarray, transform: protocols.Transform,
) -> dict[str, Any]:  # fmt: skip
    train, _, test = parts
    if not len(train) or not len(test):
        raise SplitError(f"task {number} has {len(train)} training and {len(test)} test samples: lower n_tasks")
    entry: dict[str, Any] = {"classes": np.unique(np.concatenate([train_y[train], evaluated_y[test]])).tolist()}
    for part, rows in zip(PARTS, parts, strict=True):
        text = canonical_json(rows.tolist())
        key = sha256_text(text)[:16]
        sets.setdefault(key, rows.tolist())
        entry[part] = key
    return {**entry, "transform": transform}


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest as canonical JSON, one byte sequence for equal content."""
    write_text(path, canonical_json(manifest) + "\n")


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest and check it against its own hash.

    Raises:
        RecollectError: the file is missing, incomplete or was changed by hand.
    """
    return read_sealed(path, "manifest")


def rows(manifest: dict[str, Any], task: int, part: str) -> np.ndarray:
    """Sorted row numbers of ``part`` (train, validation, test) of a task, int64."""
    return np.asarray(manifest["index_sets"][manifest["tasks"][task][part]], dtype=np.int64)


def arrays_of(manifest: dict[str, Any], part: str) -> str:
    """Which arrays the rows of ``part`` (train, validation, test) count in: ``train`` or ``test``."""
    return "test" if part == "test" and manifest.get("evaluate_on", "test") == "test" else "train"
