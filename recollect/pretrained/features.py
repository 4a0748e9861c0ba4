"""Rows in memory as batches that can resume, and frozen features that are computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

Rows = Sequence[Tensor]
CACHE_BYTES = 2 << 30
"""Tokens of one task are kept up to this size; larger ones are computed batch by batch."""
BLOCK = 500


class RowBatches:
    """Batches of row tensors, reshuffled every epoch, that resume at any batch.

    An epoch is determined by one number drawn from ``generator``, as in the engine's ready batches.

    Args:
        rows: tensors of equal length, or a function that makes them for an epoch from that number.
        batch_size: rows per batch; the last one may be smaller.
        generator: CPU generator.
    """

    def __init__(self, rows: Rows | Callable[[int], Rows], batch_size: int, generator: torch.Generator) -> None:
        self._make = rows if callable(rows) else None
        self.rows: Rows | None = None if callable(rows) else rows
        self.batch_size, self.generator = batch_size, generator
        self.epoch_seed: int | None = None
        self.position = 0

    def __len__(self) -> int:
        return 0 if self.rows is None else -(-len(self.rows[0]) // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """Where the current epoch stands."""
        return {"epoch_seed": self.epoch_seed, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue an epoch: the next iteration starts at the stored batch."""
        self.epoch_seed, self.position = state["epoch_seed"], state["position"]

    def __iter__(self) -> Iterator[list[Tensor]]:
        if self.epoch_seed is None:
            self.epoch_seed = int(torch.randint(2**62, (), generator=self.generator))
        if self._make is not None:
            self.rows = self._make(self.epoch_seed)
        assert self.rows is not None
        shuffler = torch.Generator().manual_seed(self.epoch_seed)
        order = torch.randperm(len(self.rows[0]), generator=shuffler).to(self.rows[0].device)
        for batch in order.split(self.batch_size)[self.position :]:
            self.position += 1
            yield [rows[batch] for rows in self.rows]
        self.epoch_seed, self.position = None, 0


@torch.no_grad()
def in_blocks(compute: Callable[[Tensor], Tensor], images: Any, block: int = BLOCK) -> Tensor:
    """``compute`` of all images of a task, block by block, in order; one tensor."""
    index = torch.arange(len(images), device=images.device)
    return torch.cat([compute(images.gather(part)) for part in index.split(block)])


def fits(images: Any, n_tokens: int, dim: int, limit: int = CACHE_BYTES) -> bool:
    """Whether float32 tokens (n_tokens, dim) of all images may be kept."""
    return 4 * len(images) * n_tokens * dim <= limit
