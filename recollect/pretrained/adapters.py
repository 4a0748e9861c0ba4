"""AdaptFormer's parallel adapters (Chen et al., 2022), as APER, EASE and MOS use them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from recollect.pretrained.adaptation import Adaptation, plain


class Bottleneck(nn.Module):
    """scale * up(relu(down(x))); down Kaiming-uniform, up zero: it starts as nothing."""

    def __init__(self, dim: int, width: int, scale: float) -> None:
        super().__init__()
        self.down, self.up, self.scale = nn.Linear(dim, width), nn.Linear(width, dim), scale
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens to tokens."""
        return self.scale * self.up(torch.relu(self.down(x)))


class Adapters(Adaptation):
    """One bottleneck beside the MLP of every block from ``first`` on: x + mlp(norm(x)) + bottleneck(x)."""

    def __init__(self, dim: int, depth: int, width: int, scale: float = 0.1, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.bottlenecks = nn.ModuleList(Bottleneck(dim, width, scale) for _ in range(first, depth))

    def block(self, number: int, block: Any, tokens: Tensor) -> Tensor:
        """The block with its bottleneck."""
        b = plain(block)
        x = tokens + b.ls1(b.attn(b.norm1(tokens)))
        return x + b.ls2(b.mlp(b.norm2(x))) + self.bottlenecks[number - self.first](x)
