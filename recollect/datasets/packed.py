"""Samples of several modalities, each kept in an array of its own that may be a memory map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recollect.datasets.spec import StoredModality, packed_shape


@dataclass(frozen=True)
class PackedArrays:
    """What becomes one row per sample where batches are gathered; on disk every modality keeps its dtype.

    Attributes:
        modalities: in the order of the row.
        present: uint8 (N, M), 1 where a sample has a modality; a sample that has none could not be read.
        values: by modality, (N, *shape); zeros where it is absent.
    """

    modalities: tuple[StoredModality, ...]
    present: Any
    values: dict[str, Any]

    def __len__(self) -> int:
        return len(self.present)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 1, 1, numbers per row), what methods see."""
        return (len(self), *packed_shape(self.modalities))

    @property
    def dtype(self) -> np.dtype:
        """Rows are float32, whatever is stored."""
        return np.dtype("f4")

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        return sum(array.nbytes for array in (self.present, *self.values.values()))

    @property
    def unreadable(self) -> np.ndarray:
        """Which samples could not be read, bool (N,)."""
        return np.asarray(self.present).sum(axis=1) == 0
