"""APER, Adapt and Merge (Zhou et al., Revisiting Class-Incremental Learning with Pre-Trained Models, 2023).

The backbone is adapted to the first task and frozen. A class is the mean of its features, which are those of the
bare and of the adapted backbone side by side; the nearest by cosine answers. Five ways to adapt: adapter, full
fine-tuning, SSF, VPT deep and VPT shallow.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.backbones import Backbone
from recollect.pretrained.building import make_model
from recollect.pretrained.by_prototype import PrototypeStrategy
from recollect.pretrained.features import in_blocks
from recollect.pretrained.first_session import FirstSessionStrategy
from recollect.pretrained.prototypes import Prototypes
from recollect.pretrained.strategy import Options


class APER(FirstSessionStrategy, PrototypeStrategy):
    """Prototypes of bare and adapted features.

    Attributes:
        bare: the backbone as it was; a copy where fine-tuning changes the one that is trained.
    """

    def __init__(self, *, bare: Backbone, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.bare, self.prototypes = bare, Prototypes()

    def represent(self, x: Tensor) -> Tensor:
        """Features (B, 2d): bare, then adapted."""
        with self.autocast():
            bare = self.bare.features(x).float()
        return torch.cat([bare, super().represent(x)], dim=1)

    @torch.no_grad()
    def represent_task(self) -> Tensor:
        """:meth:`represent` of the current task's images; the blocks that both share are computed once."""
        self.compute_tokens()
        if self.tokens is None or self.bare is not self.model.backbone:
            return in_blocks(self.represent, self.images())
        return torch.cat([self.task_features(), self.task_features(self.model.adaptation)], dim=1)


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    peft: Literal["adapter", "finetune", "ssf", "vpt_deep", "vpt_shallow"] = "adapter",
    adapter_width: int = 64,
    adapter_scale: float = 0.1,
    prompts: int = 5,
    first_block: int = 0,
    lr_min: float = 0.0,
) -> Strategy:
    """APER; arguments that it shares with methods/lca.py mean the same.

    Args:
        peft: how the backbone is adapted.
        prompts: tokens of VPT.
    """
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, width=adapter_width, scale=adapter_scale,
        prompts=prompts,
    )  # fmt: skip
    bare = model.backbone
    if peft == "finetune":
        bare = Backbone(deepcopy(bare.vit), bare.name, bare.sha256, bare.image, bare.channels)
    return APER(model=model, setting=setting, options=Options(lr_min), bare=bare)
