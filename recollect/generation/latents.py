"""Draws of the latents of Multiband VAE: Gaussian z and binary b in {-1, +1}."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Latents(NamedTuple):
    """z (..., L) and b (..., B)."""

    z: Tensor
    b: Tensor


def noise(generator: torch.Generator, *shape: int, latent: int, binary: int) -> Latents:
    """Standard normal (*shape, L) and uniform (*shape, B) numbers, drawn on the CPU whatever the device."""
    normal = torch.randn(*shape, latent, generator=generator)
    return Latents(normal, torch.rand(*shape, binary, generator=generator))


def codes(uniform: Tensor, probability: Tensor) -> Tensor:
    """Binary codes in {-1, +1}, +1 with ``probability``."""
    return (uniform < probability).float() * 2 - 1


def prior(generator: torch.Generator, n: int, latent: int, ones: Tensor) -> Latents:
    """``n`` latents on the device of ``ones`` (B,) or (n, B): z standard normal, b one with that probability."""
    z, uniform = noise(generator, n, latent=latent, binary=ones.shape[-1])
    return Latents(z.to(ones.device), codes(uniform.to(ones.device), ones))


def posterior(statistics: tuple[Tensor, Tensor, Tensor], generator: torch.Generator) -> Latents:
    """A sample given mean, log variance (N, L) and binary logits (N, B); b is Bernoulli(sigmoid(logits))."""
    mean, log_variance, logits = statistics
    z, uniform = noise(generator, len(mean), latent=mean.shape[1], binary=logits.shape[1])
    z, uniform = z.to(mean.device), uniform.to(mean.device)
    return Latents(mean + z * torch.exp(0.5 * log_variance), codes(uniform, torch.sigmoid(logits)))


def mode(statistics: tuple[Tensor, Tensor, Tensor]) -> Latents:
    """The latents that are likeliest given mean, log variance (N, L) and binary logits (N, B)."""
    mean, _, logits = statistics
    return Latents(mean, codes(torch.full_like(logits, 0.5), torch.sigmoid(logits)))


def count_ones(sums: Tensor, ids: Tensor, b: Tensor) -> None:
    """Add codes b (n, B) in [-1, 1] of ids (n,) to ``sums`` (ids, B + 1), whose last column counts rows."""
    sums.index_add_(0, ids, torch.cat([b / 2 + 0.5, torch.ones(len(b), 1, device=b.device)], dim=1))


def settle_ones(ones: Tensor, sums: Tensor) -> None:
    """Set ``ones`` (ids, B) to the means of the ids that were counted, and begin counting anew."""
    seen = sums[:, -1] > 0
    ones[seen] = sums[seen, :-1] / sums[seen, -1:]
    sums.zero_()
