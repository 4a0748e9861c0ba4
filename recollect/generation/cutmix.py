"""CutMix (Yun et al. 2019) with Beta(1, 1): on images a box, on latent vectors a range of indices."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Mixed(NamedTuple):
    """Mixed rows, the partner (N,) of every row, and the share ``lam`` that is its own."""

    x: Tensor
    partner: Tensor
    lam: float


def _span(size: int, length: int) -> tuple[int, int]:
    """A range of ``length`` around a uniform centre, cut at the borders."""
    centre = int(torch.randint(size, ()))
    return max(centre - length // 2, 0), min(centre - length // 2 + length, size)


def cut_images(x: Tensor) -> Mixed:
    """Paste a box of the partner into every image (N, C, H, W); its area is 1 - lam of the image."""
    partner = torch.randperm(len(x)).to(x.device)
    height, width = x.shape[2:]
    side = (1 - float(torch.rand(()))) ** 0.5
    top, bottom = _span(height, round(height * side))
    left, right = _span(width, round(width * side))
    mixed = x.clone()
    mixed[:, :, top:bottom, left:right] = x[partner][:, :, top:bottom, left:right]
    return Mixed(mixed, partner, 1 - (bottom - top) * (right - left) / (height * width))


def cut_vectors(x: Tensor) -> Mixed:
    """Paste a range of the partner's components into every vector (N, D); its length is 1 - lam of D."""
    partner = torch.randperm(len(x)).to(x.device)
    size = x.shape[1]
    length = round(size * float(torch.rand(())))
    first = int(torch.randint(size - length + 1, ()))
    mixed = x.clone()
    mixed[:, first : first + length] = x[partner][:, first : first + length]
    return Mixed(mixed, partner, 1 - length / size)
