"""Naive fine-tuning of a pre-trained backbone: the adaptation and all heads go on training, no protection.

Cross-entropy over all classes seen so far; the lower bound for methods on pre-trained backbones.
"""

from __future__ import annotations

from typing import Literal

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.one_head import OneHead
from recollect.pretrained.strategy import Options


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
    return OneHead(model=model, setting=setting, options=Options(lr_min))
