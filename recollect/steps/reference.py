"""Reference: the features of every task's evaluation images, with which generated samples are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recollect.datasets import Prepared, open_prepared
from recollect.errors import RecollectError
from recollect.extractors.compute import device_called, repeatable
from recollect.extractors.features import Extractor, features, load_extractor
from recollect.extractors.reference_file import Reference, write_reference
from recollect.scenarios.manifest import arrays_of, read_manifest, rows
from recollect.steps.places import Places


def evaluation_images(
    data: Sequence[Prepared], manifest: dict[str, Any], task: int
) -> tuple[str, list[np.ndarray], np.ndarray]:
    """The images on which a task is evaluated.

    Returns:
        The part's name, its image arrays uint8 (N_i, C, H, W), one per data set, and sorted rows of these arrays
        laid end to end, int64 (n,).
    """
    part = arrays_of(manifest, "test")
    return part, [getattr(source, f"{part}_x") for source in data], rows(manifest, task, "test")


def reference(
    scenario: dict[str, Any],
    extractor: str,
    seeds: Sequence[int],
    places: Places,
    *,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write the reference features of a scenario for every seed.

    Seeds and tasks share images, so features of a part are computed once, of all of it: a number does not depend
    on which seeds are asked for together.

    Args:
        scenario: resolved scenario; its splits and data must be there.
        extractor: id of an extractor that was made.
        seeds: which splits.
        places: the results folder.
        device: where features are computed.
        threads: of the CPU; the last digits of sums depend on it.

    Raises:
        RecollectError: a task transforms its images, a manifest was made for other data, or the extractor does not
            take images of this shape.
    """
    network = load_extractor(places.extractor(extractor), device_called(device))
    data = [open_prepared(places.data(name)) for name in scenario["datasets"]]
    known: dict[str, np.ndarray] = {}
    for seed in seeds:
        split_file = places.split(scenario["id"], seed)
        manifest = read_manifest(split_file)
        if [entry["sha256"] for entry in manifest["datasets"]] != [d.info["content_sha256"] for d in data]:
            raise RecollectError(f"{split_file} was made for other data: delete it and run again")
        with repeatable(threads):
            tasks = [
                _task_features(network, data, manifest, task, known) for task in range(len(manifest["tasks"]))
            ]
        found = Reference(tasks, network.spec.id, network.sha256, manifest["sha256"])
        write_reference(places.features(scenario["id"], extractor, seed), found)


def _task_features(
    extractor: Extractor,
    data: Sequence[Prepared],
    manifest: dict[str, Any],
    task: int,
    known: dict[str, np.ndarray],
) -> np.ndarray:
    """Features (n, D) of a task's evaluation images; ``known`` keeps those of whole parts."""
    transform = manifest["tasks"][task]["transform"]
    if transform:
        raise RecollectError(
            f"protocol {manifest['protocol']} changes the images of task {task} ({', '.join(transform)}), "
            "generative metrics of which are not defined here: take a scenario with images as they are"
        )
    part, arrays, chosen = evaluation_images(data, manifest, task)
    if part not in known:
        known[part] = np.concatenate([features(extractor, images) for images in arrays])
    return known[part][chosen]
