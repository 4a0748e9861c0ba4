"""Naive fine-tuning of a pre-trained backbone: the adaptation and all heads go on training, no protection.

Cross-entropy over all classes seen so far; the lower bound for methods on pre-trained backbones.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.strategy import Options, PretrainedStrategy


class PretrainedNaive(PretrainedStrategy):
    """One growing head."""

    def trained(self) -> list[Any]:
        """The adaptation and all heads."""
        assert self.model.adaptation is not None
        return [*self.model.adaptation.parameters(), *self.model.heads.parameters()]

    def forward(self) -> Tensor:
        """Outputs of all heads."""
        return self.model.heads(self.batch_features()) if self.is_training else super().forward()

    def training_loss(self) -> Tensor:
        """Cross-entropy over the classes seen."""
        return self.classification_loss(self.mb_output, self.mb_y)


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    peft: Literal["lora", "adapter", "ssf", "vpt_deep", "vpt_shallow", "finetune"] = "lora",
    rank: int = 64,
    adapter_width: int = 64,
    adapter_scale: float = 0.1,
    prompts: int = 5,
    first_block: int = 0,
    lr_min: float = 0.0,
) -> Strategy:
    """Naive fine-tuning; arguments that it shares with methods/lca.py mean the same.

    Args:
        peft: what is trained.
        prompts: tokens of VPT.
    """
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, rank=rank, width=adapter_width,
        scale=adapter_scale, prompts=prompts,
    )  # fmt: skip
    return PretrainedNaive(model=model, setting=setting, options=Options(lr_min))
