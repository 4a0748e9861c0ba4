"""Joint training of a pre-trained backbone's adaptation on the union of all tasks: the upper bound."""

from __future__ import annotations

from typing import Literal

from baselines.joint import Joint
from baselines.pretrained_naive import PretrainedNaive
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.strategy import Options


class PretrainedJoint(PretrainedNaive):
    """Trains once, on everything."""

    curriculum = Joint.curriculum


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
    """Joint training; arguments as in baselines/pretrained_naive.py."""
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, rank=rank, width=adapter_width,
        scale=adapter_scale, prompts=prompts,
    )  # fmt: skip
    return PretrainedJoint(model=model, setting=setting, options=Options(lr_min))
