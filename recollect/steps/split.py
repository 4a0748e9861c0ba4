"""Split: a scenario and a seed become a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recollect.datasets import open_prepared
from recollect.scenarios.manifest import SourceData, make_manifest, write_manifest
from recollect.steps.places import Places


def source(places: Places, dataset: str) -> SourceData:
    """What a split needs to know of a prepared data set."""
    data = open_prepared(places.data(dataset))
    pixels = data.info["input_shape"][1] * data.info["input_shape"][2] * data.info["input_shape"][0]
    return SourceData(
        name=dataset, sha256=data.info["content_sha256"], n_classes=data.info["n_classes"], n_pixels=pixels,
        train_y=data.train_y, test_y=data.test_y,
    )  # fmt: skip


def split(scenario: dict[str, Any], seeds: Sequence[int], places: Places) -> None:
    """Write the manifests of a scenario for every seed."""
    sources = [source(places, dataset) for dataset in scenario["datasets"]]
    for seed in seeds:
        write_manifest(places.split(scenario["id"], seed), make_manifest(scenario, sources, seed))
