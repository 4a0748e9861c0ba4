"""Classifiers with a fixed-width head, for images of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Fully connected ReLU network: C*H*W -> width x depth -> n_outputs."""

    def __init__(self, *, input_shape: Sequence[int], n_outputs: int, width: int = 400, depth: int = 2) -> None:
        super().__init__()
        sizes = [int(torch.tensor(input_shape).prod()), *[width] * depth]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.features = nn.Sequential(nn.Flatten(), *layers)
        self.head = nn.Linear(sizes[-1], n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to outputs (B, n_outputs)."""
        return self.head(self.features(x))


class CNN(nn.Module):
    """Small convolutional network: ``depth`` blocks of 3x3 convolution, ReLU and 2x2 pooling, then a head."""

    def __init__(self, *, input_shape: Sequence[int], n_outputs: int, width: int = 32, depth: int = 2) -> None:
        super().__init__()
        channels, height, columns = input_shape
        blocks: list[nn.Module] = []
        for i in range(depth):
            before, after = (channels if i == 0 else width * 2 ** (i - 1)), width * 2**i
            blocks += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
            height, columns = -(-height // 2), -(-columns // 2)
        self.features = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Linear(width * 2 ** (depth - 1) * height * columns, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to outputs (B, n_outputs)."""
        return self.head(self.features(x))


CLASSIFIERS: dict[str, type[MLP] | type[CNN]] = {"mlp": MLP, "cnn": CNN}
