"""Ready batches: shuffled, gathered in blocks, converted on the device, and able to resume at any batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recollect.engine.images import TaskImages

BLOCK_BYTES = 1 << 21
"""Float bytes gathered at once. Small enough to stay in cache, large enough to hide the call overhead."""


class ReadyBatches:
    """Batches ``[x, y, task]`` of a task, reshuffled every epoch.

    An epoch is determined by one number drawn from ``generator``: permutation and augmentation follow
    from it. So the state is that number and a batch position, and a run continues in mid-epoch.

    Args:
        images: what to draw from.
        batch_size: rows per batch; the last one of an epoch may be smaller.
        generator: CPU generator; the same numbers are drawn whatever the device.
        augmentation: ``none``, ``crop_flip`` or ``resized_crop_flip``.
    """

    def __init__(
        self, images: TaskImages, batch_size: int, generator: torch.Generator, augmentation: str = "none"
    ) -> None:
        self.images = images
        self.batch_size = batch_size
        self.generator = generator
        self.augmentation = augmentation
        self.epoch_seed: int | None = None
        self.position = 0

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """Where the current epoch stands."""
        return {"epoch_seed": self.epoch_seed, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue an epoch: the next iteration starts at the stored batch."""
        self.epoch_seed, self.position = state["epoch_seed"], state["position"]

    def __iter__(self) -> Iterator[list[Tensor]]:
        if self.epoch_seed is None:
            self.epoch_seed = int(torch.randint(2**62, (), generator=self.generator))
        shuffler = torch.Generator().manual_seed(self.epoch_seed)
        order = torch.randperm(len(self.images), generator=shuffler).to(self.images.device)
        per_block = self._batches_per_block()
        first_block = self.position // per_block
        for block in range(first_block, -(-len(self) // per_block)):
            yield from self._block(order, block, per_block)
        self.epoch_seed, self.position = None, 0

    def _batches_per_block(self) -> int:
        row_bytes = 4 * int(torch.tensor(self.images.parts[0].array.shape[1:]).prod())
        return max(1, BLOCK_BYTES // (row_bytes * self.batch_size))

    def _block(self, order: Tensor, block: int, per_block: int) -> Iterator[list[Tensor]]:
        rows = per_block * self.batch_size
        index = order[block * rows : (block + 1) * rows]
        assert self.epoch_seed is not None
        generator = torch.Generator().manual_seed(self.epoch_seed + 1 + block)
        x = self.images.augmented(index, self.augmentation, generator)
        parts = (x, self.images.labels[index], self.images.task_labels[index])
        batches = list(zip(*(part.split(self.batch_size) for part in parts), strict=True))
        for batch in batches[self.position - block * per_block :]:
            self.position += 1
            yield list(batch)
