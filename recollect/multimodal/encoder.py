"""MMEncoder: frozen transformers of different depth and width, run in common blocks with adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recollect.multimodal.adapter import Adapter, AdapterOptions
from recollect.multimodal.blocks import Surplus, common_blocks
from recollect.multimodal.samples import Samples
from recollect.multimodal.towers import Tower

Tokens = dict[str, Tensor]


@dataclass(frozen=True)
class Representation:
    """What the encoder makes of a batch.

    Attributes:
        unimodal: z_m by modality, (N, d); zeros where the modality is missing.
        joint: z_J, (N, d).
        gates: expert weights by block, (N, E_b); empty without adapters.
        present: by modality, bool (N,).
    """

    unimodal: dict[str, Tensor]
    joint: Tensor
    gates: list[Tensor]
    present: dict[str, Tensor]


class MMEncoder(nn.Module):
    """Samples to unimodal and joint representations.

        X_m^b <- block b of transformer m (frozen), then X_m^b + Delta_m^b of adapter b
        z_m = Proj_m(LN(pool(X_m^B))),   z_J = LN(W_J concat_m z_m)

    Args:
        towers: frozen transformers by modality.
        dim: d, width of the representations.
        adapter: options of the adapters; kind ``none`` leaves them out.
        surplus: which blocks take the layers that are left over.
        generator: CPU generator of the adapters' weights; the projections are drawn from the global state.
    """

    def __init__(
        self, towers: Mapping[str, Tower], dim: int, adapter: AdapterOptions, surplus: Surplus,
        generator: torch.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.towers = dict(towers)
        self.blocks = common_blocks({name: tower.depth for name, tower in towers.items()}, surplus)
        dims = {name: tower.dim for name, tower in towers.items()}
        n_blocks = len(next(iter(self.blocks.values()))) if adapter.kind != "none" else 0
        self.adapters = nn.ModuleList(Adapter(dims, adapter, generator) for _ in range(n_blocks))
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name, width in dims.items()})
        self.projections = nn.ModuleDict({name: nn.Linear(width, dim) for name, width in dims.items()})
        self.fusion = nn.Linear(len(dims) * dim, dim)
        self.fusion_norm = nn.LayerNorm(dim)

    @property
    def n_blocks(self) -> int:
        """B."""
        return len(next(iter(self.blocks.values())))

    def block(self, number: int, tokens: Tokens) -> Tokens:
        """Tokens after the frozen layers of one block."""
        made = {}
        for name, x in tokens.items():
            for layer in self.blocks[name][number]:
                x = self.towers[name].layer(layer, x)
            made[name] = x
        return made

    def start(self, samples: Samples) -> Tokens:
        """Tokens after the frozen layers of the first block, which no adapter has touched yet."""
        with torch.no_grad():
            return self.block(0, {name: self.towers[name].embed(samples.tensors[name]) for name in self.towers})

    def pooled(self, samples: Samples) -> tuple[Tokens, list[Tensor]]:
        """Pooled tokens (N, D_m) after the last block by modality, and the gates by block."""
        tokens, present = self.start(samples), samples.present
        gates = []
        for number in range(self.n_blocks):
            if number:
                tokens = self.block(number, tokens)
            if len(self.adapters):
                delta, weights = self.adapters[number](tokens, present)
                tokens = {name: x + delta[name] for name, x in tokens.items()}
                gates.append(weights)
        return {name: self.towers[name].pool(x) for name, x in tokens.items()}, gates

    def project(self, pooled: Tokens, present: dict[str, Tensor], gates: list[Tensor]) -> Representation:
        """Representations of pooled tokens."""
        unimodal = {
            name: self.projections[name](self.norms[name](x)) * present[name][:, None]
            for name, x in pooled.items()
        }
        joint = self.fusion_norm(self.fusion(torch.cat(list(unimodal.values()), dim=1)))
        return Representation(unimodal, joint, gates, present)

    def forward(self, samples: Samples) -> Representation:
        """Representations of samples."""
        pooled, gates = self.pooled(samples)
        return self.project(pooled, samples.present, gates)
