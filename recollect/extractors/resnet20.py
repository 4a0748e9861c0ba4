"""ResNet-20 for CIFAR-10 with parameter-free shortcuts.

He, Zhang, Ren, Sun, CVPR (2016), section 4.2, shortcuts of option A: every second pixel, and zeros for the
channels that are new, half of them before and half behind. Layer names are those of the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""The normalisation with which the published weights were trained (that of ImageNet)."""


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut: (B, before, H, W) -> (B, after, H / stride, W / stride)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.new = stride, after - before

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        shortcut = pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new // 2))
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet20(nn.Module):
    """Images (B, 3, 32, 32) in [0, 1] -> features (B, 64), outputs (B, n_outputs)."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, n_outputs)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def features(self, x: Tensor) -> Tensor:
        """The mean over positions of the last block, 64 values."""
        x = relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        return self.layer3(self.layer2(self.layer1(x))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        return self.linear(self.features(x))
