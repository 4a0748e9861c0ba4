"""Packed rows to class scores: the encoder and a linear classifier on the joint representation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recollect.multimodal.adapter import Adapter
from recollect.multimodal.encoder import MMEncoder, Representation
from recollect.multimodal.samples import Layout, Samples


class MMModel(nn.Module):
    """What the engine trains where the model is ``mm_encoder``. The frozen transformers are no part of its state.

    Args:
        layout: of the rows.
        encoder: see there.
        n_outputs: of the classifier; classes that have not come yet are masked by the engine.
        maps: whether there is a linear map q_m for every modality, which alignment needs and answers do not.
    """

    def __init__(self, layout: Layout, encoder: MMEncoder, n_outputs: int, maps: bool = False) -> None:
        super().__init__()
        self.layout, self.encoder = layout, encoder
        dim = encoder.fusion.out_features
        self.head = nn.Linear(dim, n_outputs)
        self.maps = nn.ModuleDict({name: nn.Linear(dim, dim) for name in layout.names} if maps else {})

    def adapters(self) -> list[Adapter]:
        """One per block, or none."""
        return [adapter for adapter in self.encoder.adapters if isinstance(adapter, Adapter)]

    def samples(self, rows: Tensor) -> Samples:
        """The modalities of rows."""
        return self.layout.unpack(rows)

    def represent(self, rows: Tensor) -> Representation:
        """Representations of rows."""
        return self.encoder(self.samples(rows))

    def forward(self, rows: Tensor) -> Tensor:
        """Outputs (N, n_outputs) of rows (N, ..., P)."""
        return self.head(self.represent(rows).joint)

    def grow(self, numbers: Sequence[int], generator: torch.Generator) -> None:
        """Append fresh experts to the adapters, so many by block."""
        for adapter, number in zip(self.adapters(), numbers, strict=True):
            adapter.grow(number, generator)

    def freeze(self, used: Sequence[Sequence[bool]]) -> None:
        """Freeze experts by block; those that are frozen stay so."""
        for adapter, flags in zip(self.adapters(), used, strict=True):
            for expert, flag in zip(adapter.each(), flags, strict=True):
                if flag:
                    expert.freeze()

    def frozen(self) -> list[list[bool]]:
        """Of every expert, by block."""
        return [adapter.frozen() for adapter in self.adapters()]
