"""Answers of a trained strategy on test images, without disturbing training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from recollect.engine.images import TaskImages
from recollect.engine.modes import evaluating
from recollect.engine.outputs import OutputMask
from recollect.engine.seeding import preserved_rng
from recollect.predictions import NO_ANSWER

BATCH = 1000
BATCH_BYTES = 64 << 20
"""Of float images: large ones go through the network in smaller batches."""


@torch.no_grad()
def predict(strategy: Any, images: TaskImages, outputs: OutputMask, task: int) -> np.ndarray:
    """Predicted class of every image, int16 (n,); -1 where no class may answer.

    Modules are put in evaluation mode and back, random states are preserved: training goes on bit for bit
    as if nothing had been predicted.
    """
    if not len(images) or not outputs.allowed(task):
        return np.full(len(images), NO_ANSWER, dtype=np.int16)
    scores = getattr(strategy, "scores", strategy.model)
    answers = []
    with preserved_rng(), evaluating(strategy.model):
        for index in torch.arange(len(images), device=images.device).split(_batch(images)):
            masked = outputs.apply(scores(images.gather(index)), images.task_labels[index])
            answers.append(masked.argmax(dim=1))
    return torch.cat(answers).cpu().numpy().astype(np.int16)


def _batch(images: TaskImages) -> int:
    shapes = [part.array.shape[1:] for part in getattr(images, "parts", [])]
    row_bytes = max((4 * math.prod(shape) for shape in shapes), default=1)
    return max(1, min(BATCH, BATCH_BYTES // row_bytes))
