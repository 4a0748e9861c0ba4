"""Samples of several modalities: dicts of tensors for models, one row of numbers per sample for the engine.

The engine, the memories of the baselines and evaluation move one tensor per batch. A :class:`Layout` says where in
a row each modality lies, so all of them work on samples of any modalities, and a model unpacks what it is given.
A row is ``[present_1, ..., present_M, values of modality 1, ..., values of modality M]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Modality:
    """One kind of measurement: its name and the shape of one sample, e.g. ("audio", (1, 40, 24))."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Samples:
    """A batch of samples.

    Attributes:
        tensors: by modality, (B, *shape); zeros where the modality is absent.
        present: by modality, bool (B,).
    """

    tensors: dict[str, Tensor]
    present: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))


class Layout:
    """Where each modality lies in a row.

    Raises:
        ValueError: no modality, or two of one name.
    """

    def __init__(self, modalities: Sequence[Modality]) -> None:
        self.modalities = tuple(modalities)
        names = self.names
        if not names:
            raise ValueError("a sample needs at least one modality")
        if len(set(names)) < len(names):
            raise ValueError(f"modalities need different names, these are {', '.join(names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities, in the order of the row."""
        return tuple(modality.name for modality in self.modalities)

    @property
    def size(self) -> int:
        """Numbers in a row: one flag per modality and its values."""
        return sum(1 + modality.size for modality in self.modalities)

    def pack(self, tensors: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None) -> Tensor:
        """Rows, float32 (B, :attr:`size`), of a dict of tensors (B, *shape).

        Args:
            tensors: by modality; a modality that is left out is absent from every sample.
            present: by modality, bool (B,); all samples where it says nothing.

        Raises:
            ValueError: an unknown modality, a shape that is not the declared one, or unequal numbers of samples.
        """
        unknown = set(tensors) - set(self.names)
        if unknown or not tensors:
            raise ValueError(f"modalities {sorted(unknown)} are not among {', '.join(self.names)}")
        n = len(next(iter(tensors.values())))
        flags, values = [], []
        for modality in self.modalities:
            x = tensors.get(modality.name)
            if x is not None and tuple(x.shape) != (n, *modality.shape):
                raise ValueError(
                    f"modality {modality.name}: {tuple(x.shape)} given, {(n, *modality.shape)} expected"
                )
            here = torch.zeros(n, dtype=torch.bool) if x is None else torch.ones(n, dtype=torch.bool)
            if present is not None and modality.name in present and x is not None:
                here = present[modality.name].bool().cpu()
            rows = torch.zeros(n, modality.size) if x is None else x.reshape(n, -1).float().cpu()
            flags.append(here[:, None].float())
            values.append(torch.where(here[:, None], rows, torch.zeros(())))
        return torch.cat([*flags, *values], dim=1)

    def unpack(self, rows: Tensor) -> Samples:
        """The modalities of rows (B, ..., with :attr:`size` numbers per sample); views where possible.

        Raises:
            ValueError: rows of another size.
        """
        rows = rows.flatten(1)
        if rows.shape[1] != self.size:
            raise ValueError(
                f"rows of {rows.shape[1]} numbers do not hold {', '.join(self.names)}, which take {self.size}"
            )
        tensors, present, start = {}, {}, len(self.modalities)
        for i, modality in enumerate(self.modalities):
            tensors[modality.name] = rows[:, start : start + modality.size].unflatten(1, modality.shape)
            present[modality.name] = rows[:, i] > 0.5
            start += modality.size
        return Samples(tensors, present)
