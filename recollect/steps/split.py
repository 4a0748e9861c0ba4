"""Split: a scenario and a seed become a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recollect.datasets import Prepared, open_prepared
from recollect.datasets.packed import PackedArrays
from recollect.scenarios.domains import read_domains
from recollect.scenarios.gaps import Presence
from recollect.scenarios.manifest import SourceData, make_manifest, write_manifest
from recollect.steps.places import Places


def source(places: Places, dataset: str) -> SourceData:
    """What a split needs to know of a prepared data set."""
    data = open_prepared(places.data(dataset))
    pixels = data.info["input_shape"][1] * data.info["input_shape"][2] * data.info["input_shape"][0]
    return SourceData(
        name=dataset, sha256=data.info["content_sha256"], n_classes=data.info["n_classes"], n_pixels=pixels,
        train_y=data.train_y, test_y=data.test_y, presence=_presence(data),
    )  # fmt: skip


def _presence(data: Prepared) -> Presence | None:
    """Who has which modality; None for images."""
    if not isinstance(data.train_x, PackedArrays):
        return None
    names = tuple(modality.name for modality in data.train_x.modalities)
    train, test = (np.asarray(x.present).astype(bool) for x in (data.train_x, data.test_x))
    unreadable = data.info.get("unreadable", {})
    return Presence(names, train, test, tuple(name for half in unreadable.values() for name in half))


def split(scenario: dict[str, Any], seeds: Sequence[int], places: Places) -> None:
    """Write the manifests of a scenario for every seed."""
    sources = [source(places, dataset) for dataset in scenario["datasets"]]
    if "domains" in scenario:
        domains = read_domains(places.domains(scenario["id"]), sources[0].sha256)
        sources = [replace(sources[0], domains=domains)]
    for seed in seeds:
        write_manifest(places.split(scenario["id"], seed), make_manifest(scenario, sources, seed))
