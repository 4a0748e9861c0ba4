"""Mixed batches: every iteration joins current and replayed rows, shuffles them and hands out mini-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

Rows = tuple[Tensor, ...]


def cycled_order(n: int, wanted: int, generator: torch.Generator) -> Tensor:
    """Positions of at least ``wanted`` of n images: shuffled passes, one after another."""
    return torch.cat([torch.randperm(n, generator=generator) for _ in range(-(-wanted // n))])


class MixedBatches:
    """Mini-batches of rows that are made in blocks of several iterations, because large passes are fast.

    An epoch is determined by one number drawn from ``generator``: the current images' order and, block by
    block, all noise. So the state is that number, an iteration, and the rows of it that are left.

    Args:
        iterations: per epoch.
        rows: of one iteration.
        batch_size: of a mini-batch; the last one of an iteration may be smaller.
        make_block: (first iteration, number of them, generator of the block) to one tuple of row tensors per
            iteration. It must depend on nothing that training changes.
        start_epoch: called with the generator of the epoch when it starts or is resumed.
        adjust: the last word on an iteration's rows, at the moment they are used; may look at the networks
            as they are then.
        generator: CPU generator; the same numbers are drawn whatever the device.
        iterations_per_block: how many are made at once.
    """

    def __init__(
        self, *, iterations: int, rows: int, batch_size: int,
        make_block: Callable[[int, int, torch.Generator], Sequence[Rows]],
        start_epoch: Callable[[torch.Generator], None] = lambda generator: None,
        adjust: Callable[[Rows], Rows] = lambda rows: rows,
        generator: torch.Generator, iterations_per_block: int = 8,
    ) -> None:  # fmt: skip
        self.iterations, self.rows, self.batch_size = iterations, rows, batch_size
        self.make_block, self.start_epoch, self.adjust = make_block, start_epoch, adjust
        self.generator, self.iterations_per_block = generator, iterations_per_block
        self.epoch_seed: int | None = None
        self.position = 0
        self.rest: Rows = ()

    def __len__(self) -> int:
        return self.iterations * -(-self.rows // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """Where the current epoch stands; the rest of an iteration has seen networks that are gone."""
        return {"epoch_seed": self.epoch_seed, "position": self.position, "rest": list(self.rest)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue an epoch."""
        self.epoch_seed, self.position, self.rest = state["epoch_seed"], state["position"], tuple(state["rest"])

    def __iter__(self) -> Iterator[list[Tensor]]:
        if self.epoch_seed is None:
            self.epoch_seed = int(torch.randint(2**62, (), generator=self.generator))
        self.start_epoch(torch.Generator().manual_seed(self.epoch_seed))
        yield from self._hand_out()
        while self.position < self.iterations:
            block = self.position // self.iterations_per_block
            first = block * self.iterations_per_block
            count = min(self.iterations_per_block, self.iterations - first)
            made = self.make_block(first, count, torch.Generator().manual_seed(self.epoch_seed + 1 + block))
            for rows in made[self.position - first :]:
                self.rest = self.adjust(rows)
                self.position += 1
                yield from self._hand_out()
        self.epoch_seed, self.position = None, 0

    def _hand_out(self) -> Iterator[list[Tensor]]:
        while self.rest and len(self.rest[0]):
            batch = [part[: self.batch_size] for part in self.rest]
            self.rest = tuple(part[self.batch_size :] for part in self.rest)
            yield batch
        self.rest = ()
