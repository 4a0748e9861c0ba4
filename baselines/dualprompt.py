"""DualPrompt (Wang et al., ECCV 2022).

General prompts are shared by all tasks, expert prompts belong to one; both are prefixes of keys and values, in
the first ``general_blocks`` and the next ``expert_blocks`` blocks. Every task has a key; the class token of the
bare backbone chooses the expert whose key is nearest by cosine. While task t is trained its expert is taken, and
its key is drawn to the queries: cross-entropy minus ``key_weight`` times the mean cosine.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.adaptation import check_first
from recollect.pretrained.building import make_model
from recollect.pretrained.prompting import ChosenPrompts, PromptStrategy, prefixed_block
from recollect.pretrained.strategy import Options


class DualPrompts(ChosenPrompts):
    """General prefixes (G, 2, L_g, d), expert prefixes (E, 2, L_e, d) and a key (d,) per task, uniform in +-0.01.

    A new task's expert starts from the last one's.
    """

    def __init__(
        self,
        dim: int,
        n_tasks: int,
        lengths: tuple[int, int],
        blocks: tuple[int, int],
        key_weight: float,
        first: int,
    ) -> None:
        super().__init__(first)
        (general, expert), (n_general, n_expert) = lengths, blocks
        small = 0.01
        self.general = nn.Parameter(torch.empty(n_general, 2, general, dim).uniform_(-small, small))
        self.experts = nn.ParameterList(
            nn.Parameter(torch.empty(n_expert, 2, expert, dim).uniform_(-small, small)) for _ in range(n_tasks)
        )
        self.keys = nn.ParameterList(
            nn.Parameter(torch.empty(dim).uniform_(-small, small)) for _ in range(n_tasks)
        )
        self.key_weight = key_weight
        self.register_buffer("learned", torch.zeros((), dtype=torch.long))
        self.expert: Tensor | None = None

    @torch.no_grad()
    def start_task(self, task: int) -> None:
        """The expert of ``task`` continues from that of the task before; the others no longer change."""
        if task:
            self.experts[task].copy_(self.experts[task - 1])
        self.learned.fill_(task + 1)

    def choose(self, query: Tensor, training: bool) -> None:
        """The current expert while training, else that of the nearest key."""
        learned = int(self.learned)
        if training:
            self.expert = self.experts[learned - 1].expand(len(query), -1, -1, -1, -1)
            self.extra = -self.key_weight * (normalize(query) @ normalize(self.keys[learned - 1], dim=0)).mean()
            return
        keys = torch.stack([self.keys[t] for t in range(learned)])
        nearest = (normalize(query) @ normalize(keys).T).argmax(dim=1)
        self.expert = torch.stack([self.experts[t] for t in range(learned)])[nearest]

    def block(self, number: int, block: Any, tokens: Tensor) -> Tensor:
        """The block with the prefix that belongs to it."""
        place = number - self.first
        if place < len(self.general):
            return prefixed_block(block, tokens, self.general[place].expand(len(tokens), -1, -1, -1))
        assert self.expert is not None
        place -= len(self.general)
        return (
            prefixed_block(block, tokens, self.expert[:, place]) if place < self.expert.shape[1] else block(tokens)
        )


class DualPrompt(PromptStrategy):
    """Trains the general prompts and one expert."""

    def trained(self) -> list[Any]:
        """General prompts, the current expert with its key, and the newest head."""
        prompts, task = self.prompts, self.done
        assert isinstance(prompts, DualPrompts)
        return [prompts.general, prompts.experts[task], prompts.keys[task], *self.model.heads.task(-1)]


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    general_length: int = 5,
    expert_length: int = 5,
    general_blocks: int = 2,
    expert_blocks: int = 3,
    key_weight: float = 0.1,
    first_block: int = 0,
    lr_min: float = 0.0,
) -> Strategy:
    """DualPrompt; arguments that it shares with methods/lca.py mean the same.

    Args:
        general_length, expert_length: tokens of the prefixes.
        general_blocks, expert_blocks: how many blocks get them, counted from ``first_block``.
        key_weight: of the cosine of query and key.
    """
    model = make_model(setting, backbone, pretrained, None)
    first = check_first(first_block, model.backbone.depth)
    prompts = DualPrompts(
        model.backbone.dim, setting.n_tasks, (general_length, expert_length), (general_blocks, expert_blocks),
        key_weight, first,
    )  # fmt: skip
    model.adaptation = prompts.to(setting.device)
    return DualPrompt(model=model, setting=setting, options=Options(lr_min))
