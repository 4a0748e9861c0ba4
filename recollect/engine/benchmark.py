"""A split manifest as an Avalanche benchmark whose experiences also yield ready batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import _make_taskaware_classification_dataset
from torch import Tensor

from recollect.engine.images import Part, TaskImages
from recollect.scenarios.manifest import rows

MASKS = {"task-incremental": "task", "class-incremental": "seen", "dirichlet": "seen"}
"""Which outputs may answer: the task's own classes, the classes seen so far, or (default) all."""


@dataclass(frozen=True)
class Pool:
    """All images of one stream part on the device: the data sets one after another.

    ``arrays`` hold uint8 (N, C, H, W) tensors or, for data too large for memory, memory maps.
    """

    arrays: Sequence[Any]
    labels: Tensor

    def starts(self) -> np.ndarray:
        """First row number of every array, and the total at the end, shape (len(arrays) + 1,)."""
        return np.concatenate([[0], np.cumsum([a.shape[0] for a in self.arrays])])


def _images(pool: Pool, manifest: dict[str, Any], task: int, part: str) -> TaskImages:
    wanted, starts = rows(manifest, task, part), pool.starts()
    pieces = []
    for number, array in enumerate(pool.arrays):
        mine = wanted[(wanted >= starts[number]) & (wanted < starts[number + 1])]
        if len(mine):
            labels = pool.labels[torch.from_numpy(mine).to(pool.labels.device)]
            pieces.append(Part(array, mine - starts[number], labels, task, manifest["tasks"][task]["transform"]))
    return TaskImages(pieces, device=pool.labels.device)


def as_avalanche(images: TaskImages) -> Any:
    """Wrap images as an Avalanche dataset with targets and task labels."""
    # The task-aware kind is what Avalanche's own LwF, GEM and others ask for; it has no public constructor.
    dataset = _make_taskaware_classification_dataset(
        images, targets=images.labels.tolist(), task_labels=images.task_labels.tolist()
    )
    dataset.ready_images = images
    return dataset


def build_benchmark(manifest: dict[str, Any], train: Pool, test: Pool) -> CLScenario:
    """The Avalanche benchmark of a manifest, with streams train, validation (if held out) and test.

    Every experience carries ``classes_in_this_experience``; its dataset carries ``ready_images``
    (:class:`~recollect.engine.images.TaskImages`), from which the engine takes whole batches.
    """
    tasks = range(len(manifest["tasks"]))
    streams = {
        "train": [as_avalanche(_images(train, manifest, t, "train")) for t in tasks],
        "test": [as_avalanche(_images(test, manifest, t, "test")) for t in tasks],
    }
    if manifest["validation"] > 0:
        streams["validation"] = [as_avalanche(_images(train, manifest, t, "validation")) for t in tasks]
    benchmark = benchmark_from_datasets(**streams)
    for stream in benchmark.streams.values():
        for task, experience in enumerate(stream):
            experience.classes_in_this_experience = manifest["tasks"][task]["classes"]
            experience.task_number = task
    benchmark.n_classes = manifest["n_classes"]
    benchmark.mask = MASKS.get(manifest["protocol"], "all")
    return benchmark
