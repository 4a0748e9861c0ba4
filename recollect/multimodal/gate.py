"""The gate of an adapter: mean activations of all modalities to the weights of its experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from recollect.errors import RecollectError


def check_top_k(top_k: int, experts: int) -> None:
    """Raise RecollectError unless 1 <= top_k <= experts."""
    if not 1 <= top_k <= experts:
        raise RecollectError(
            f"top_k is {top_k} and there are {experts} experts: choose top_k between 1 and the number of experts"
        )


def gate_input(tokens: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
    """u (N, sum of D_m): token means of the modalities side by side, zeros where one is missing.

    Args:
        tokens: by modality, (N, T_m, D_m).
        present: by modality, bool (N,).
    """
    return torch.cat([x.mean(dim=1) * present[name][:, None] for name, x in tokens.items()], dim=1)


def gate_weights(logits: Tensor, top_k: int, renormalise: bool = True) -> Tensor:
    """g (N, E): softmax, all but the ``top_k`` largest set to zero, rows of sum 1 again if ``renormalise``."""
    g = logits.softmax(dim=1)
    chosen = torch.zeros_like(g).scatter(1, g.topk(top_k, dim=1).indices, 1.0)
    kept = g * chosen
    return kept / kept.sum(dim=1, keepdim=True) if renormalise else kept


def routing(weights: Tensor) -> Tensor:
    """bool (N, E): which experts a sample goes to."""
    return weights > 0


def agreement(now: Sequence[Tensor], before: Sequence[Tensor]) -> list[float]:
    """Per block the share of samples that go to the same experts as before.

    Args:
        now, before: weights (N, E) by block; a block may have more experts now, at the end.
    """
    shares = []
    for new, old in zip(now, before, strict=True):
        fresh = routing(new)[:, old.shape[1] :].any(dim=1)
        same = (routing(new)[:, : old.shape[1]] == routing(old)).all(dim=1) & ~fresh
        shares.append(float(same.float().mean()))
    return shares
