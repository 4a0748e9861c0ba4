"""Samples of several modalities as rows: compact where they are stored, float32 where a batch is gathered."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recollect.datasets.packed import PackedArrays
from recollect.engine.stored import Plain
from recollect.multimodal.samples import Layout, Modality


class Packed:
    """Rows ``[flags, values]`` of a :class:`~recollect.multimodal.samples.Layout`, shown as (B, 1, 1, P) "images".

    Of that shape, everything that moves images moves them too: batches, memories, evaluation. Bytes become
    fractions of 255, other numbers stay as they are. Crops are cut from images only.

    Args:
        arrays: a prepared data set's, tensors on the device or memory maps.
    """

    def __init__(self, arrays: PackedArrays) -> None:
        self.layout = layout_of(arrays.modalities)
        self.shape = arrays.shape
        self.flags = Plain(arrays.present)
        self.values = [Plain(arrays.values[name]) for name in self.layout.names]

    def shown(self, rows: Tensor) -> Tensor:
        """The rows as float32, (B, 1, 1, P)."""
        flags = self.flags.shown(rows).float()
        values = [_numbers(stored.shown(rows)).flatten(1) for stored in self.values]
        return torch.cat([flags, *values], dim=1)[:, None, None]

    def sizes(self, rows: Tensor) -> Tensor:
        """Not for samples of several modalities."""
        raise ValueError(
            "resized crops are cut from images, these samples have several modalities: augmentation none"
        )

    source = sizes


def _numbers(x: Tensor) -> Tensor:
    return x.float().div_(255) if x.dtype == torch.uint8 else x.float()


def layout_of(modalities: Any) -> Layout:
    """The layout of stored modalities (:class:`~recollect.datasets.spec.StoredModality`)."""
    return Layout([Modality(modality.name, tuple(modality.shape)) for modality in modalities])
