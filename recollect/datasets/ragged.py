"""Images of their own sizes, one after another in a flat array that may be a memory map."""

from __future__ import annotations

import numpy as np


class RaggedImages:
    """Colour images with the same shorter side, read one at a time.

    Args:
        flat: uint8 (bytes,), every image as (3, height, width) in C order.
        sizes: int32 (N, 2), height and width.
        side: methods see images of side x side; the shorter side of every image is at least that.

    Raises:
        ValueError: there are more or fewer bytes than the sizes say.
    """

    def __init__(self, flat: np.ndarray, sizes: np.ndarray, side: int) -> None:
        self.flat, self.sizes, self.side = flat, sizes, side
        self.starts = np.concatenate([[0], np.cumsum(3 * np.prod(sizes.astype(np.int64), axis=1))])
        if self.starts[-1] != len(flat):
            raise ValueError(f"{len(flat)} bytes where the sizes say {self.starts[-1]}")

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, side, side), what methods see."""
        return len(self), 3, self.side, self.side

    @property
    def dtype(self) -> np.dtype:
        """Bytes."""
        return self.flat.dtype

    def __getitem__(self, row: int) -> np.ndarray:
        """Image ``row`` as it is stored, uint8 (3, height, width)."""
        height, width = self.sizes[row]
        return self.flat[self.starts[row] : self.starts[row + 1]].reshape(3, height, width)
