"""CODA-Prompt (Smith et al., CVPR 2023): prompts as weighted sums of components.

    p = sum_m alpha_m P_m,   alpha_m = cos(q * A_m, K_m)

with the class token q of the bare backbone, attention vectors A and keys K, in each of the first
``prompted_blocks`` blocks; p is a prefix of keys and values. Every task adds an equal share of the components and
freezes the earlier ones. ``orthogonality`` weighs || B B^T - I ||^2 / 2, the mean over the entries, for B = P, K
and A.
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


def weighted_prompt(query: Tensor, attention: Tensor, keys: Tensor, components: Tensor) -> Tensor:
    """Prompts (B, ...) of queries (B, d): attention and keys (M, d), components (M, ...)."""
    attended = normalize(query[:, None] * attention[None], dim=2)  # (B, M, d)
    alpha = (attended * normalize(keys, dim=1)[None]).sum(dim=2)
    return torch.tensordot(alpha, components, dims=1)


def orthogonality_loss(rows: Tensor) -> Tensor:
    """Mean squared entry of B B^T - I for rows B (M, ...)."""
    flat = rows.flatten(1)
    return (flat @ flat.T - torch.eye(len(flat), device=flat.device)).square().mean()


class Components(ChosenPrompts):
    """For every prompted block and task: components (M_t, 2, L, d), keys and attention (M_t, d).

    Uniform numbers whose rows are made orthonormal within a task (the authors use Gram-Schmidt against all).
    """

    def __init__(
        self, dim: int, n_tasks: int, blocks: int, pool: int, length: int, orthogonality: float, first: int
    ) -> None:
        super().__init__(first)
        self.blocks, self.orthogonality, self.share = blocks, orthogonality, max(1, pool // n_tasks)
        shapes = {"components": (2, length, dim), "keys": (dim,), "attention": (dim,)}
        for name, shape in shapes.items():
            made = [_orthonormal(self.share, shape) for _ in range(n_tasks * blocks)]
            self.register_module(name, nn.ParameterList(made))
        self.register_buffer("learned", torch.zeros((), dtype=torch.long))
        self.prefixes: list[Tensor] = []

    def start_task(self, task: int) -> None:
        """One more share of the components takes part."""
        self.learned.fill_(task + 1)

    def rows(self, name: str, block: int, training: bool) -> Tensor:
        """All components, keys or attention of a block so far, those of earlier tasks without gradient."""
        own = [getattr(self, name)[task * self.blocks + block] for task in range(int(self.learned))]
        return torch.cat([*(p.detach() for p in own[:-1]), own[-1]]) if training else torch.cat(own)

    def choose(self, query: Tensor, training: bool) -> None:
        """A weighted sum per block."""
        self.prefixes, penalty = [], query.new_zeros(())
        for block in range(self.blocks):
            parts = {name: self.rows(name, block, training) for name in ("attention", "keys", "components")}
            self.prefixes.append(weighted_prompt(query, *parts.values()))
            if training and self.orthogonality:
                penalty = penalty + sum(orthogonality_loss(part) for part in parts.values())
        self.extra = self.orthogonality * penalty if training else None

    def block(self, number: int, block: Any, tokens: Tensor) -> Tensor:
        """The block with its prompt."""
        place = number - self.first
        return prefixed_block(block, tokens, self.prefixes[place]) if place < self.blocks else block(tokens)

    def of_task(self, task: int) -> list[nn.Parameter]:
        """What a task trains."""
        places = range(task * self.blocks, (task + 1) * self.blocks)
        return [getattr(self, name)[i] for name in ("components", "keys", "attention") for i in places]


def _orthonormal(rows: int, shape: tuple[int, ...]) -> nn.Parameter:
    flat = torch.empty(rows, int(torch.tensor(shape).prod())).uniform_()
    if rows <= flat.shape[1]:
        flat = torch.linalg.qr(flat.T)[0].T.contiguous()
    return nn.Parameter(flat.reshape(rows, *shape))


class CODAPrompt(PromptStrategy):
    """Trains the newest share of the components."""

    def trained(self) -> list[Any]:
        """Components, keys and attention of the task, and the newest head."""
        assert isinstance(self.prompts, Components)
        return [*self.prompts.of_task(self.done), *self.model.heads.task(-1)]


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    pool: int = 100,
    prompt_length: int = 8,
    prompted_blocks: int = 5,
    orthogonality: float = 0.1,
    first_block: int = 0,
    lr_min: float = 0.0,
) -> Strategy:
    """CODA-Prompt; arguments that it shares with methods/lca.py mean the same.

    Args:
        pool: components in all, shared out among the tasks.
        prompt_length: tokens of a prompt, for keys and for values.
        prompted_blocks: how many blocks get prompts, counted from ``first_block``.
        orthogonality: weight of the penalty.
    """
    model = make_model(setting, backbone, pretrained, None)
    depth = model.backbone.depth
    first = check_first(first_block, depth)
    prompts = Components(
        model.backbone.dim, setting.n_tasks, min(prompted_blocks, depth - first), pool, prompt_length,
        orthogonality, first,
    )  # fmt: skip
    model.adaptation = prompts.to(setting.device)
    return CODAPrompt(model=model, setting=setting, options=Options(lr_min))
