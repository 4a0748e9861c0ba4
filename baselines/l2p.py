"""L2P, Learning to Prompt for continual learning (Wang et al., CVPR 2022).

A pool of prompts with keys. The class token of the bare backbone is the query q; the n keys with the largest
cosine choose the prompts that are put beside the image's tokens. Loss: cross-entropy over the task's classes minus
``key_weight`` times the mean cosine of q with the chosen keys.

Own implementation instead of Avalanche's, whose strategy loads its own timm model by name through its own loop and
can neither use an embedded backbone nor resume. Deviations: the head reads the class token instead of the mean of
the prompts' outputs, and heads are one per task without bias, as in all methods here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.pretrained.adaptation import check_first
from recollect.pretrained.building import make_model
from recollect.pretrained.prompting import ChosenPrompts, PromptStrategy
from recollect.pretrained.strategy import Options


class PromptPool(ChosenPrompts):
    """Prompts (P, L, d) and keys (P, d), uniform in [0, 0.01) at first."""

    def __init__(self, dim: int, pool: int, length: int, chosen: int, key_weight: float, first: int) -> None:
        super().__init__(first)
        if chosen > pool:
            raise RecollectError(f"{chosen} prompts cannot be chosen from a pool of {pool}: lower chosen")
        self.prompts = nn.Parameter(torch.rand(pool, length, dim) * 0.01)
        self.keys = nn.Parameter(torch.rand(pool, dim) * 0.01)
        self.chosen, self.key_weight = chosen, key_weight
        self.current: Tensor | None = None

    def choose(self, query: Tensor, training: bool) -> None:
        """The prompts of the nearest keys."""
        similarity = normalize(query) @ normalize(self.keys).T
        best = similarity.topk(self.chosen, dim=1)
        self.current = self.prompts[best.indices].flatten(1, 2)
        self.extra = -self.key_weight * best.values.sum(dim=1).mean() / self.chosen if training else None

    def enter(self, tokens: Tensor) -> Tensor:
        """Chosen prompts after the class token."""
        assert self.current is not None
        return torch.cat([tokens[:, :1], self.current, tokens[:, 1:]], dim=1)


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    pool: int = 10,
    prompt_length: int = 5,
    chosen: int = 5,
    key_weight: float = 0.1,
    first_block: int = 0,
    lr_min: float = 0.0,
) -> Strategy:
    """L2P; arguments that it shares with methods/lca.py mean the same.

    Args:
        pool, prompt_length, chosen: prompts in the pool, tokens of each, how many an image gets.
        key_weight: of the cosine of query and keys.
    """
    model = make_model(setting, backbone, pretrained, None)
    first = check_first(first_block, model.backbone.depth)
    prompts = PromptPool(model.backbone.dim, pool, prompt_length, chosen, key_weight, first)
    model.adaptation = prompts.to(setting.device)
    return PromptStrategy(model=model, setting=setting, options=Options(lr_min))
