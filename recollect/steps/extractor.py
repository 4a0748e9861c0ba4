"""Extractor: weights found, downloaded, trained or defined become safetensors with a record."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from recollect.datasets import open_prepared
from recollect.datasets.download import Patience
from recollect.extractors.compute import repeatable
from recollect.extractors.features import INFO, WEIGHTS
from recollect.extractors.networks import NETWORKS, build
from recollect.extractors.published import published_weights
from recollect.extractors.registry import get_extractor_spec
from recollect.extractors.spec import ExtractorSpec, Training
from recollect.extractors.training import accuracy, train_weights
from recollect.extractors.weights import Weights, weights_sha256, write_weights
from recollect.files import write_json
from recollect.steps.places import Places

SCHEMA = 1


def make_extractor(
    name: str,
    places: Places,
    data_dir: Path,
    *,
    offline: bool = False,
    patience: Patience | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Write ``weights.safetensors`` and, last, ``extractor.json``; returns the content of the latter.

    Args:
        name: a key of `extractors.EXTRACTORS`.
        places: the results folder; one that is trained needs its data set there.
        data_dir: folder with official files, weights in its folder ``weights``.
        offline: never open a connection.
        patience: how long a download is tried.
        progress: a progress bar of a download.

    Raises:
        RecollectError: no weights to be had, or not the published ones; data that are not prepared.
    """
    spec = get_extractor_spec(name)
    if spec.training is not None:
        weights, obtained = _train(spec, spec.training, places)
    elif not spec.files:
        weights, obtained = dict(NETWORKS[spec.network](spec.n_outputs).state_dict()), {"how": "defined"}
    else:
        found = published_weights(spec, data_dir, offline=offline, patience=patience, progress=progress)
        weights = found.weights
        obtained = {"how": found.how, "file": found.remote.path, "file_sha256": found.remote.sha256}
    build(spec, weights)  # Weights of another network are refused here, not in a later step.
    folder = places.extractor(name)
    # The record vouches for the weights, so it is never beside others.
    (folder / INFO).unlink(missing_ok=True)
    write_weights(folder / WEIGHTS, weights)
    record = {**_describe(spec, weights), **obtained}
    write_json(folder / INFO, record)
    return record


def _train(spec: ExtractorSpec, recipe: Training, places: Places) -> tuple[Weights, dict[str, Any]]:
    data = open_prepared(places.data(recipe.dataset))
    with repeatable(threads=1):
        weights = train_weights(spec, data)
        correct = accuracy(spec, weights, data.test_x, data.test_y)
    return weights, {
        "how": "trained",
        "training": asdict(recipe),
        "data_sha256": data.info["content_sha256"],
        "test_accuracy": correct,
    }


def _describe(spec: ExtractorSpec, weights: Weights) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "id": spec.id,
        "title": spec.title,
        "sha256": weights_sha256(weights),
        "feature_dim": spec.feature_dim,
        "input_shape": list(spec.input_shape) if spec.input_shape else "any",
        "value_range": list(spec.value_range) if spec.value_range else "that of the data",
        "licence": spec.licence,
        "citation": spec.citation,
    }
