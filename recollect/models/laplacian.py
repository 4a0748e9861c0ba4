"""Laplacian-pyramid distance between images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, l1_loss, pad

LEVELS = 3


def _blur(x: Tensor) -> Tensor:
    """Gaussian 5x5 blur of every channel: the binomial kernel (1, 4, 6, 4, 1) / 16 in both directions."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device) / 16
    kernel = torch.outer(row, row).expand(x.shape[1], 1, 5, 5)
    return conv2d(pad(x, (2, 2, 2, 2), mode="replicate"), kernel, groups=x.shape[1])


def pyramid(x: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """Differences of every level to its blur, and last the coarse image; each level halves (N, C, H, W)."""
    parts = []
    for _ in range(levels - 1):
        low = _blur(x)
        parts.append(x - low)
        x = avg_pool2d(low, 2)
    return [*parts, x]


def laplacian_l1(a: Tensor, b: Tensor) -> Tensor:
    """Sum over the levels of the mean absolute difference of the pyramids (Bojanowski et al. 2018)."""
    return torch.stack([l1_loss(p, q) for p, q in zip(pyramid(a), pyramid(b), strict=True)]).sum()
