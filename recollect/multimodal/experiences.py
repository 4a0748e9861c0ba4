"""The modalities of an experience's samples, for scripts that talk to Avalanche directly.

    for experience in benchmark.train_stream:
        for samples, y in batches(experience, 32):
            samples.tensors["audio"], samples.present["audio"]

Avalanche's own loaders work as well: they give rows, which ``layout(experience).unpack`` turns into tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recollect.multimodal.samples import Layout, Samples


def layout(experience: Any) -> Layout:
    """Where each modality lies in a row of this experience.

    Raises:
        ValueError: the experience holds images, or samples of another origin.
    """
    images = getattr(experience.dataset, "ready_images", None)
    found = getattr(images, "layout", None)
    if found is None:
        raise ValueError(
            "this experience has no modalities: its data set holds plain images, take them as they are"
        )
    return found


def samples(experience: Any, index: Tensor | None = None) -> tuple[Samples, Tensor]:
    """Samples of an experience and their labels (B,); ``index`` int64 (B,), all if it is left out."""
    rows = experience.dataset.ready_images
    index = torch.arange(len(rows)) if index is None else index
    index = index.to(rows.device)
    return layout(experience).unpack(rows.gather(index)), rows.labels[index]


def batches(
    experience: Any, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[Samples, Tensor]]:
    """Samples and labels of an experience, batch after batch; in a random order where there is a ``generator``."""
    n = len(experience.dataset.ready_images)
    order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
    for index in order.split(batch_size):
        yield samples(experience, index)
