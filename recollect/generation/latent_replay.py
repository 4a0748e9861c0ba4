"""The data of Adapt & Align's global phase: current images and generations, each with its latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recollect.engine.mixed import MixedBatches, Rows, cycled_order
from recollect.generation.latents import Latents, codes, noise
from recollect.models.multiband import Decoder


class LatentReplay:
    """Makes rows (target, is old, id, z, b): real images of the current task, and generations of what is old.

    Ids are the numbers of tasks, or of classes where the decoder is conditioned on them. In an iteration all old
    ids share their noise, each takes its first rows.

    Args:
        images: of the current task.
        ids: positions of images (n,) to their ids (n,).
        old_ids: (K,), what is replayed.
        encode: (images, generator) to a posterior sample; the encoder is frozen.
        old: the frozen decoder that generates.
        ones: (ids, B), probabilities of the binary latents.
        counts: replayed rows of every old id in an iteration.
        batch_size: current rows in an iteration, and size of a mini-batch.
        candidates: current images drawn at the start of an epoch for controlled forgetting; 0 draws none.
    """

    def __init__(
        self, *, images: Any, ids: Callable[[Tensor], Tensor], old_ids: Tensor,
        encode: Callable[[Tensor, torch.Generator], Latents], old: Decoder, ones: Tensor, latent: int,
        counts: list[int], batch_size: int, candidates: int,
    ) -> None:  # fmt: skip
        self.images, self.ids, self.old_ids = images, ids, old_ids
        self.encode, self.old, self.ones, self.latent = encode, old, ones, latent
        self.counts, self.batch_size, self.n_candidates = counts, batch_size, candidates
        self.device = ones.device
        self.candidates: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

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
        self.order = cycled_order(n, wanted, generator).to(self.device)
        if self.n_candidates:
            chosen = torch.randperm(n, generator=generator)[: self.n_candidates].to(self.device)
            x = self.images.gather(chosen)
            self.candidates = (x, self.ids(chosen), *self.encode(x, generator))

    @torch.no_grad()
    def make_block(self, first: int, count: int, generator: torch.Generator) -> list[Rows]:
        """Rows of ``count`` iterations, each shuffled."""
        size = self.batch_size
        index = self.order[first * size : (first + count) * size]
        x = self.images.gather(index)
        z, b = self.encode(x, generator)
        drawn_z, drawn_b, old_id = self.old_latents(count, generator)
        old_z, old_b, old_ids = drawn_z.flatten(0, 1), drawn_b.flatten(0, 1), old_id.repeat(count)
        targets = self.old.images(old_z, old_b, old_ids)
        pairs = ((targets, x), (old_ids, self.ids(index)), (old_z, z), (old_b, b))
        target, ids, z, b = (_join(old, new, count) for old, new in pairs)
        is_old = torch.arange(ids.shape[1], device=self.device) < len(old_id)
        orders = [torch.randperm(ids.shape[1], generator=generator).to(self.device) for _ in range(count)]
        return [(target[i][o], is_old[o], ids[i][o], z[i][o], b[i][o]) for i, o in enumerate(orders)]

    def old_latents(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """z (count, n, L), b (count, n, B) and id (n,) of the replayed rows."""
        most, binary = max(self.counts), self.ones.shape[1]
        drawn = noise(generator, count, most, latent=self.latent, binary=binary)
        normal, uniform = (part.to(self.device) for part in drawn)
        z = torch.cat([normal[:, :n] for n in self.counts], dim=1)
        ids = torch.repeat_interleave(self.old_ids, torch.tensor(self.counts, device=self.device))
        parts = [uniform[:, :n] for n in self.counts]
        return z, codes(torch.cat(parts, dim=1), self.ones[ids]), ids


def _join(old: Tensor, new: Tensor, count: int) -> Tensor:
    """(count * a, ...) and (count * b, ...) to (count, a + b, ...)."""
    return torch.cat([part.unflatten(0, (count, len(part) // count)) for part in (old, new)], dim=1)
