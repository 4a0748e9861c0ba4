"""LoRA on the qkv projections, through the peft library (Hu et al., 2022; settings of the LCA authors' code)."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from recollect.pretrained.adaptation import Adaptation


class LoRA(Adaptation):
    """qkv(x) + alpha / r * B A x in every block from ``first`` on.

    A is Gaussian with deviation 1 / r, B zero; no dropout. A is drawn from the current random state.

    Attributes:
        tensors: A and B of every block, which live inside the ViT.
    """

    def __init__(self, vit: Any, rank: int, alpha: int, first: int = 0) -> None:
        super().__init__()
        from peft import LoraConfig, inject_adapter_in_model

        self.first = first
        targets = [f"blocks.{i}.attn.qkv" for i in range(first, len(vit.blocks))]
        config = LoraConfig(
            r=rank, lora_alpha=alpha, lora_dropout=0.0, bias="none", target_modules=targets,
            init_lora_weights="gaussian",
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inject_adapter_in_model(config, vit)
        found = {name: p for name, p in vit.named_parameters() if "lora_" in name}
        vit.eval()
        # A parameter's name may not hold a dot in a ParameterDict.
        self.tensors = nn.ParameterDict({name.replace(".", "/"): p for name, p in found.items()})
