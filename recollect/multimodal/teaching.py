"""What a teacher says of a task's samples, computed once: neither changes while the task is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recollect.engine.batches import ReadyBatches
from recollect.multimodal.diagnosis import represent_all
from recollect.multimodal.encoder import Representation
from recollect.multimodal.model import MMModel


class NumberedBatches(ReadyBatches):
    """Ready batches that say which samples of the task the last one holds.

    Attributes:
        numbers: positions (B,) of the last batch's samples in the task; there from the first batch on.
    """

    numbers: Tensor

    def _block(self, order: Tensor, block: int, per_block: int) -> Iterator[list[Tensor]]:
        rows = per_block * self.batch_size
        numbers = order[block * rows : (block + 1) * rows].split(self.batch_size)
        done = self.position - block * per_block
        for self.numbers, batch in zip(numbers[done:], super()._block(order, block, per_block), strict=True):
            yield batch


class Lesson:
    """A teacher's representations of all samples of a task.

    Args:
        teacher: a model that is not trained any more.
        images: the task's samples as the engine holds them.
    """

    def __init__(self, teacher: MMModel, images: Any) -> None:
        with torch.no_grad():
            self.all = represent_all(teacher, images)

    def of(self, numbers: Tensor) -> Representation:
        """Of the samples at ``numbers`` (B,), (B, d) each."""
        return Representation(
            {name: z[numbers] for name, z in self.all.unimodal.items()},
            self.all.joint[numbers],
            [gates[numbers] for gates in self.all.gates],
            {name: flags[numbers] for name, flags in self.all.present.items()},
        )
