"""SSF: features scaled and shifted after every operation (Lian et al., 2022)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recollect.pretrained.adaptation import Adaptation, plain

STD = 0.02
PLACES = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")


class SSF(Adaptation):
    """gamma * y + beta for the outputs y of norms and linear layers in every block from ``first`` on.

    gamma starts around 1 and beta around 0 with deviation 0.02. Deviation: the stem and the last norm have none,
    they belong to what is shared with other adaptations.

    Attributes:
        on: the scales act only inside :meth:`block`, the ViT itself stays what it was.
    """

    def __init__(self, vit: Any, first: int = 0) -> None:
        super().__init__()
        self.first, self.on = first, False
        self.scales, self.shifts = nn.ParameterList(), nn.ParameterList()
        for block in vit.blocks[first:]:
            for place in PLACES:
                module = plain(block).get_submodule(place)
                width = module.out_features if isinstance(module, nn.Linear) else module.normalized_shape[0]
                scale, shift = (nn.Parameter(torch.empty(width, device=module.weight.device)) for _ in range(2))
                self.scales.append(nn.init.normal_(scale, 1.0, STD))
                self.shifts.append(nn.init.normal_(shift, 0.0, STD))
                module.register_forward_hook(self._hook(len(self.scales) - 1))

    def _hook(self, number: int) -> Any:
        def change(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            return output * self.scales[number] + self.shifts[number] if self.on else None

        return change

    def block(self, number: int, block: Any, tokens: Tensor) -> Tensor:
        """The block with its scales and shifts."""
        self.on = True
        try:
            return block(tokens)
        finally:
            self.on = False
