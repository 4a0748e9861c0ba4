"""From the arguments of a method's ``build`` to its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from recollect.engine.settings import Setting
from recollect.pretrained.adaptation import Adaptation, Thawed, check_first
from recollect.pretrained.adapters import Adapters
from recollect.pretrained.backbones import Backbone, load_backbone
from recollect.pretrained.heads import TaskHeads
from recollect.pretrained.lora import LoRA
from recollect.pretrained.model import PretrainedModel
from recollect.pretrained.ssf import SSF
from recollect.pretrained.vpt import VPT

PEFT: dict[str, Callable[..., Adaptation]] = {
    "lora": lambda b, first, rank, scale, width, length: LoRA(b.vit, rank, 2 * rank, first),
    "adapter": lambda b, first, rank, scale, width, length: Adapters(b.dim, b.depth, width, scale, first),
    "ssf": lambda b, first, rank, scale, width, length: SSF(b.vit, first),
    "vpt_deep": lambda b, first, rank, scale, width, length: VPT(b.dim, b.depth, length, True, first),
    "vpt_shallow": lambda b, first, rank, scale, width, length: VPT(b.dim, b.depth, length, False, first),
    "finetune": lambda b, first, rank, scale, width, length: Thawed(b.vit, first),
}
"""Kinds of adaptations by the name that configurations use."""


def adaptation(
    backbone: Backbone, kind: str, *, first_block: int = 0, rank: int = 64, scale: float = 0.1, width: int = 64,
    prompts: int = 5,
) -> Adaptation:  # fmt: skip
    """An adaptation of a backbone, drawn from the current random state, on its device.

    Args:
        backbone: LoRA, SSF and fine-tuning live in its ViT.
        kind: a key of :data:`PEFT`.
        first_block: blocks before it stay untouched; negative numbers count from the last.
        rank: r of LoRA, whose alpha is 2 r.
        scale, width: of adapters.
        prompts: tokens of VPT.
    """
    first = check_first(first_block, backbone.depth)
    made = PEFT[kind](backbone, first, rank, scale, width, prompts)
    return made.to(next(backbone.vit.parameters()).device)


def make_model(
    setting: Setting, backbone: str, pretrained: bool, kind: str | None, *, bias: bool = False, bank: bool = False,
    **shape: Any,
) -> PretrainedModel:  # fmt: skip
    """The model of a method.

    Args:
        setting: of the scenario.
        backbone, pretrained: as in :func:`~recollect.pretrained.backbones.load_backbone`.
        kind: of its adaptation, None for none.
        bias: of the heads.
        bank: whether the method keeps one adaptation per task.
        shape: as in :func:`adaptation`.
    """
    loaded = load_backbone(backbone, pretrained=pretrained, device=setting.device)
    made = None if kind is None else adaptation(loaded, kind, **shape)
    make = (lambda: adaptation(loaded, str(kind), **shape)) if bank else None
    heads = TaskHeads(loaded.dim, setting.n_classes, bias).to(setting.device)
    return PretrainedModel(loaded, made, heads, make).to(torch.device(setting.device))
