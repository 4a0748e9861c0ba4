"""Prompts chosen by the image: what L2P, DualPrompt and CODA-Prompt share.

A query, the class token of the bare backbone, decides which prompts an image gets. Prompts are tokens of their own
(L2P) or prefixes of keys and values in attention (DualPrompt, CODA-Prompt).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from recollect.pretrained.adaptation import Adaptation, plain
from recollect.pretrained.features import RowBatches
from recollect.pretrained.strategy import PretrainedStrategy


def prefixed_block(block: Any, tokens: Tensor, prefix: Tensor) -> Tensor:
    """A ViT block whose attention sees prefixes beside its own keys and values (prefix tuning).

    Args:
        block: timm's plain one.
        tokens: (B, N, d).
        prefix: (B, 2, L, d), keys and values.
    """
    b = plain(block)
    attention, x = b.attn, b.norm1(tokens)
    batch, n, dim = x.shape
    heads = attention.num_heads
    q, k, v = attention.qkv(x).reshape(batch, n, 3, heads, dim // heads).permute(2, 0, 3, 1, 4).unbind(0)
    before = prefix.reshape(batch, 2, prefix.shape[2], heads, dim // heads).permute(1, 0, 3, 2, 4)
    k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
    mixed = scaled_dot_product_attention(attention.q_norm(q), attention.k_norm(k), v)
    x = tokens + b.ls1(attention.proj(mixed.transpose(1, 2).reshape(batch, n, dim)))
    return x + b.ls2(b.mlp(b.norm2(x)))


class ChosenPrompts(Adaptation):
    """Prompts that depend on a query; a method says how.

    Attributes:
        extra: what the choice adds to the loss, a scalar; set by :meth:`choose` while training.
    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first
        self.extra: Tensor | None = None

    def start_task(self, task: int) -> None:
        """A task begins: which prompts are trained now."""

    def choose(self, query: Tensor, training: bool) -> None:
        """Set the prompts of a batch from its queries (B, d)."""
        raise NotImplementedError


class PromptStrategy(PretrainedStrategy):
    """Prompts and one head per task; cross-entropy over the task's classes plus what the choice adds."""

    stored_model = PretrainedStrategy.stored_model  # what scores reads beyond the model is in answering_state

    @property
    def prompts(self) -> ChosenPrompts:
        """The adaptation."""
        assert isinstance(self.model.adaptation, ChosenPrompts)
        return self.model.adaptation

    def begin_task(self) -> None:
        """A new head, new prompts."""
        super().begin_task()
        self.prompts.start_task(self.done)

    def trained(self) -> list[Any]:
        """Prompts that ask for gradients, and the newest head."""
        return [*(p for p in self.prompts.parameters() if p.requires_grad), *self.model.heads.task(-1)]

    def task_batches(self) -> Any:
        """Tokens with the queries of their images, both computed once, or images."""
        loader = super().task_batches()
        if self.tokens is None:
            return loader
        images = self.images()
        rows = (self.tokens, images.labels, images.task_labels, self.task_features())
        return RowBatches(rows, self.train_mb_size, self.generator)

    def batch_features(self) -> Tensor:
        """Features of the mini-batch under its own prompts."""
        if self.tokens is not None:
            self.prompts.choose(self.mbatch[3], training=True)
            return super().batch_features()
        with torch.no_grad():
            query = self.features_of(self.mb_x)
        self.prompts.choose(query, training=True)
        return super().batch_features()

    def training_loss(self) -> Tensor:
        """Cross-entropy, and what the choice of prompts adds."""
        loss = cross_entropy(self.mb_output, self.local_targets())
        return loss if self.prompts.extra is None else loss + self.prompts.extra

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Outputs of all heads for features under chosen prompts."""
        backbone = self.model.backbone
        tokens = backbone.prefix(x, self.first)
        self.prompts.choose(backbone.suffix(tokens, self.first), training=False)
        return self.model.heads(backbone.suffix(tokens, self.first, self.prompts))
