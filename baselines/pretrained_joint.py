"""Joint training of a pre-trained backbone's adaptation on the union of all tasks: the upper bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.engine.union import union
from recollect.pretrained.building import make_model
from recollect.pretrained.one_head import OneHead
from recollect.pretrained.strategy import Options


class PretrainedJoint(OneHead):
    """Trains once, on everything."""

    def curriculum(self, stream: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """The union of all experiences, under the number of the last task."""
        experiences = list(stream)
        yield len(experiences) - 1, union(experiences)


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
