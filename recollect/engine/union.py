"""Several experiences as one, for methods that may look at more than the current task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recollect.engine.images import merge


def union(experiences: Sequence[Any]) -> Any:
    """The last of ``experiences`` with the training data and classes of all of them; no image is copied."""
    from avalanche.benchmarks import benchmark_from_datasets

    from recollect.engine.benchmark import as_avalanche

    images = merge([experience.dataset.ready_images for experience in experiences])
    merged = benchmark_from_datasets(train=[as_avalanche(images)]).train_stream[0]
    classes = {c for experience in experiences for c in experience.classes_in_this_experience}
    merged.classes_in_this_experience = sorted(classes)
    merged.task_number = experiences[-1].task_number
    merged.classes_by_task = {e.task_number: e.classes_in_this_experience for e in experiences}
    return merged
