"""One expert of a cross-modality adapter, and three ways to run several of them.

For a target modality m with tokens X_m (N, T_m, D_m) an expert e computes

    h_m = X_m W_down,m                                        (N, T_m, r)
    A_{m<-n} = softmax(h_m h_n^T / sqrt(r)),  n != m          (N, T_m, T_n)
    c_m = mean over present n != m of A_{m<-n} h_n
    out_m = GELU(h_m + c_m) W_up,m                            (N, T_m, D_m)

The modality-specific expert, an ablation, leaves c_m out. ``dense`` runs all experts on all samples in a few large
products, ``routed`` every expert on the samples that chose it, ``gathered`` every sample on copies of the matrices
of its own experts. Their results differ in rounding only; but an expert that no sample of a batch chose has
gradients of zero when dense or gathered and none when routed, where AdamW then does not decay it. Per-sample
gradients (EWC's Fisher information) exist for ``dense`` only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

Tokens = Mapping[str, Tensor]


class Expert(nn.Module):
    """Down- and up-projections of every modality, and the expert's row of the gate.

    Args:
        dims: width of tokens by modality.
        rank: r.
        generator: CPU generator of the weights.
        zero_init: W_up starts at zero, so that a fresh expert adds nothing; else it is drawn like W_down.

    Attributes:
        frozen: bool (), whether it is never trained again; part of the state.
    """

    frozen: Tensor

    def __init__(
        self, dims: Mapping[str, int], rank: int, generator: torch.Generator, zero_init: bool = True
    ) -> None:
        super().__init__()

        def drawn(*shape: int, fan_in: int) -> nn.Parameter:
            bound = 1 / math.sqrt(fan_in)
            return nn.Parameter((2 * torch.rand(*shape, generator=generator) - 1) * bound)

        self.down = nn.ParameterDict({name: drawn(dim, rank, fan_in=dim) for name, dim in dims.items()})
        up = {name: drawn(rank, dim, fan_in=rank) for name, dim in dims.items()}
        self.up = nn.ParameterDict(
            {n: nn.Parameter(torch.zeros_like(w)) if zero_init else w for n, w in up.items()}
        )
        total = sum(dims.values())
        self.gate_row = drawn(total, fan_in=total)
        self.gate_bias = nn.Parameter(torch.zeros(()))
        self.register_buffer("frozen", torch.tensor(False))

    def freeze(self) -> None:
        """Never train it again, its row of the gate included."""
        self.frozen.fill_(True)
        self.requires_grad_(False)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        # The projections below are loaded after this; whether they train depends on the flag alone.
        self.requires_grad_(not bool(self.frozen))


def others(h: Tokens, present: Mapping[str, Tensor], target: str, rank: int) -> Tensor | float:
    """c_m: what the other modalities say to every token of ``target``; 0 where there is no other.

    Args:
        h: by modality, (..., T_m, r) with any dimensions between samples and tokens.
        present: by modality, bool (N,).
    """
    said, count = [], []
    for name, other in h.items():
        if name == target:
            continue
        attention = (h[target] @ other.transpose(-1, -2) / math.sqrt(rank)).softmax(dim=-1)
        here = present[name].to(other.dtype).reshape(-1, *[1] * (other.ndim - 1))
        said.append(attention @ other * here)
        count.append(here)
    if not said:
        return 0.0
    return torch.stack(said).sum(dim=0) / torch.stack(count).sum(dim=0).clamp(min=1)


def dense(
    experts: Sequence[Expert], tokens: Tokens, present: Mapping[str, Tensor], weights: Tensor, cross: bool
) -> dict[str, Tensor]:
    """Sum over experts of g_e out_e by modality; weights g (N, E)."""
    n, rank = len(experts), experts[0].down[next(iter(tokens))].shape[1]
    h = {}
    for name, x in tokens.items():
        down = torch.cat([e.down[name] for e in experts], dim=1)
        h[name] = (x @ down).unflatten(2, (n, rank)).transpose(1, 2)  # (N, E, T, r)
    made = {}
    for name in tokens:
        inner = gelu(h[name] + others(h, present, name, rank)) if cross else gelu(h[name])
        weighted = inner * weights[:, :, None, None]
        up = torch.cat([e.up[name] for e in experts], dim=0)
        made[name] = weighted.transpose(1, 2).flatten(2) @ up
    return made


def routed(
    experts: Sequence[Expert], tokens: Tokens, present: Mapping[str, Tensor], weights: Tensor, cross: bool
) -> dict[str, Tensor]:
    """The same, every expert on the samples whose weight for it is not zero."""
    made = {name: torch.zeros_like(x) for name, x in tokens.items()}
    for number, expert in enumerate(experts):
        rows = torch.nonzero(weights[:, number] > 0).flatten()
        if not len(rows):
            continue
        here = {name: flag[rows] for name, flag in present.items()}
        share = weights[rows, number][:, None, None]
        rank = expert.down[next(iter(tokens))].shape[1]
        h = {name: x[rows] @ expert.down[name] for name, x in tokens.items()}
        for name in tokens:
            inner = gelu(h[name] + others(h, here, name, rank)) if cross else gelu(h[name])
            made[name] = made[name].index_add(0, rows, inner * share @ expert.up[name])
    return made


def gathered(
    experts: Sequence[Expert], tokens: Tokens, present: Mapping[str, Tensor], weights: Tensor, cross: bool
) -> dict[str, Tensor]:
    """The same in one batched product per projection: every sample with the matrices of its own k experts.

    Costs the arithmetic of k experts however many there are, and a copy of their matrices for every sample.
    """
    rank = experts[0].down[next(iter(tokens))].shape[1]
    k = int((weights > 0).sum(dim=1).max())
    share, chosen = weights.topk(k, dim=1)  # (N, k)
    h = {}
    for name, x in tokens.items():
        down = torch.stack([e.down[name] for e in experts])[chosen]  # (N, k, D, r)
        side_by_side = x @ down.transpose(1, 2).flatten(2)  # (N, T, k r)
        h[name] = side_by_side.unflatten(2, (k, rank)).transpose(1, 2)  # (N, k, T, r)
    made = {}
    for name in tokens:
        inner = gelu(h[name] + others(h, present, name, rank)) if cross else gelu(h[name])
        weighted = (inner * share[:, :, None, None]).transpose(1, 2).flatten(2)  # (N, T, k r)
        up = torch.stack([e.up[name] for e in experts])[chosen]  # (N, k, r, D)
        made[name] = weighted @ up.flatten(1, 2)
    return made


COMPUTE = {"dense": dense, "routed": routed, "gathered": gathered}
