"""Visual prompt tuning (Jia et al., 2022): learned tokens beside those of the image."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from recollect.pretrained.adaptation import Adaptation


class VPT(Adaptation):
    """``length`` prompts after the class token: shallow or deep.

    Shallow ones stand before block ``first`` only, deep ones are new in every block.

    Uniform in +-sqrt(6 / (3 * 16^2 + d)) at first, as published for patches of 16 pixels.
    """

    def __init__(self, dim: int, depth: int, length: int, deep: bool = True, first: int = 0) -> None:
        super().__init__()
        self.first, self.length, self.deep = first, length, deep
        bound = math.sqrt(6 / (3 * 16**2 + dim))
        layers = depth - first if deep else 1
        self.prompts = nn.Parameter(torch.empty(layers, length, dim).uniform_(-bound, bound))

    def _with(self, tokens: Tensor, layer: int, skip: int) -> Tensor:
        prompts = self.prompts[layer].expand(len(tokens), -1, -1)
        return torch.cat([tokens[:, :1], prompts, tokens[:, 1 + skip :]], dim=1)

    def enter(self, tokens: Tensor) -> Tensor:
        """Shallow prompts, or those of the first block."""
        return self._with(tokens, 0, skip=0)

    def block(self, number: int, block: Any, tokens: Tensor) -> Tensor:
        """The block; deep prompts replace those that the block before has changed."""
        if self.deep and number > self.first:
            tokens = self._with(tokens, number - self.first, skip=self.length)
        return block(tokens)
