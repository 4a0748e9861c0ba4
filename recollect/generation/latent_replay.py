"""The data of Adapt & Align's global phase: current images and generations, each with its latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recollect.engine.mixed import MixedBatches, Rows
from recollect.generation.latents import Latents, codes, noise
from recollect.models.multiband import Decoder


class LatentReplay:
    """Makes rows (target, task, task, z, b): real images of task k, and generations of tasks 0..k-1.

    In an iteration all old tasks share their noise, each takes its first rows.

    Args:
        images: of task k.
        encode: (images, generator) to a posterior sample; the encoder is frozen.
        old: the frozen decoder that generates.
        ones: (T, B), probabilities of the binary latents.
        counts: replayed rows of every old task in an iteration; their number is k.
        batch_size: current rows in an iteration, and size of a mini-batch.
        candidates: current images drawn at the start of an epoch for controlled forgetting; 0 draws none.
    """

    def __init__(
        self, *, images: Any, encode: Callable[[Tensor, torch.Generator], Latents], old: Decoder, ones: Tensor,
        latent: int, counts: list[int], batch_size: int, candidates: int,
    ) -> None:  # fmt: skip
        self.images, self.encode, self.old, self.ones, self.latent = images, encode, old, ones, latent
        self.counts, self.batch_size, self.n_candidates = counts, batch_size, candidates
        self.device = ones.device
        self.task = len(counts)
        self.candidates: tuple[Tensor, Tensor, Tensor] | None = None

    def batches(self, generator: torch.Generator, adjust: Callable[[Rows], Rows]) -> MixedBatches:
        """As many iterations as the current images fill batches."""
        self.iterations = -(-len(self.images) // self.batch_size)
        return MixedBatches(
            iterations=self.iterations, rows=sum(self.counts) + self.batch_size, batch_size=self.batch_size,
            make_block=self.make_block, start_epoch=self.start_epoch, adjust=adjust, generator=generator,
        )  # fmt: skip

    def start_epoch(self, generator: torch.Generator) -> None:
        """The order of the current images, a pass that starts again when it is used up; the candidates."""
        n, wanted = len(self.images), self.iterations * self.batch_size
        passes = [torch.randperm(n, generator=generator) for _ in range(-(-wanted // n))]
        self.order = torch.cat(passes).to(self.device)
        if self.n_candidates:
            chosen = torch.randperm(n, generator=generator)[: self.n_candidates]
            x = self.images.gather(chosen.to(self.device))
            self.candidates = (x, *self.encode(x, generator))

    @torch.no_grad()
    def make_block(self, first: int, count: int, generator: torch.Generator) -> list[Rows]:
        """Rows of ``count`` iterations, each shuffled."""
        size = self.batch_size
        x = self.images.gather(self.order[first * size : (first + count) * size])
        z, b = self.encode(x, generator)
        old_z, old_b, old_task = self.old_latents(count, generator)
        targets = self.old.images(old_z.flatten(0, 1), old_b.flatten(0, 1), old_task.repeat(count))
        current = torch.full((size,), self.task, device=self.device)
        task = torch.cat([old_task, current])
        joined = [_join(old, new, count) for old, new in ((targets, x), (old_z, z), (old_b, b))]
        rows = []
        for i in range(count):
            order = torch.randperm(len(task), generator=generator).to(self.device)
            target, z_i, b_i = (part[i][order] for part in joined)
            rows.append((target, task[order], task[order], z_i, b_i))
        return rows

    def old_latents(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """z (count, n, L), b (count, n, B) and task (n,) of the replayed rows."""
        most, binary = max(self.counts), self.ones.shape[1]
        drawn = noise(generator, count, most, latent=self.latent, binary=binary)
        normal, uniform = (part.to(self.device) for part in drawn)
        z = torch.cat([normal[:, :n] for n in self.counts], dim=1)
        b = torch.cat([codes(uniform[:, :n], self.ones[i]) for i, n in enumerate(self.counts)], dim=1)
        task = torch.repeat_interleave(torch.arange(self.task), torch.tensor(self.counts))
        return z, b, task.to(self.device)


def _join(old: Tensor, new: Tensor, count: int) -> Tensor:
    """(count * a, ...) or (count, a, ...) and (count * b, ...) to (count, a + b, ...)."""
    shape = new.shape[1:]
    return torch.cat([old.reshape(count, -1, *shape), new.reshape(count, -1, *shape)], dim=1)
