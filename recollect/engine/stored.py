"""How images are stored and how methods see them: as they are, enlarged, or cut out of larger ones."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from recollect.datasets.ragged import RaggedImages
from recollect.engine.resample import resized_bytes


class Stored(Protocol):
    """Images that can be shown whole, and from which crops are cut.

    Attributes:
        shape: (N, C, H, W), what methods see.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W), what methods see."""

    def shown(self, rows: Tensor) -> Tensor:
        """The images (B, C, H, W) as an evaluation sees them: bytes, or floats that stay as they are."""

    def sizes(self, rows: Tensor) -> Tensor:
        """Height and width of the stored images, int64 (B, 2)."""

    def source(self, rows: Tensor) -> Tensor:
        """The stored images, each in the top left corner of its place in (B, C, h, w); the rest is anything."""


class Plain:
    """A tensor on the device or a memory-mapped array, shown as it is."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.in_memory = isinstance(array, Tensor)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return tuple(self.array.shape)

    def shown(self, rows: Tensor) -> Tensor:
        """The images themselves."""
        if self.in_memory:
            return self.array.index_select(0, rows)
        # Sorted access keeps the reads of a memory map sequential; the order is put back afterwards.
        order = torch.argsort(rows)
        return torch.from_numpy(self.array[rows[order].cpu().numpy()]).to(rows.device)[torch.argsort(order)]

    def sizes(self, rows: Tensor) -> Tensor:
        """The same for all."""
        return torch.tensor(self.shape[-2:]).expand(len(rows), 2)

    def source(self, rows: Tensor) -> Tensor:
        """The images themselves."""
        return self.shown(rows)


class Enlarged(Plain):
    """Small images shown larger by Pillow's bicubic filter; only the small ones are stored.

    Args:
        array: uint8 (N, C, h, w), a tensor on the device or a memory map.
        side: they are shown at side x side.
    """

    def __init__(self, array: Any, side: int) -> None:
        super().__init__(array)
        self.side = side

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, side, side)."""
        return (*self.array.shape[:2], self.side, self.side)

    def shown(self, rows: Tensor) -> Tensor:
        """Float (B, C, side, side) in [0, 1]: whole numbers of 255ths, as from an image file."""
        return resized_bytes(self.source(rows).float(), (self.side, self.side)).div_(255)

    def sizes(self, rows: Tensor) -> Tensor:
        """The same for all."""
        return torch.tensor(self.array.shape[-2:]).expand(len(rows), 2)

    def source(self, rows: Tensor) -> Tensor:
        """The small images."""
        return super().shown(rows)


class Ragged:
    """Images of their own sizes, read from a memory map; shown by their centre."""

    def __init__(self, images: RaggedImages) -> None:
        self.images = images

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, 3, side, side)."""
        return self.images.shape

    def sizes(self, rows: Tensor) -> Tensor:
        """As stored."""
        return torch.from_numpy(self.images.sizes[rows.cpu().numpy()].astype(np.int64))

    def shown(self, rows: Tensor) -> Tensor:
        """Bytes (B, 3, side, side): torchvision's ``CenterCrop``, without any resizing."""
        side = self.images.side
        x = np.empty((len(rows), 3, side, side), dtype=np.uint8)
        for place, row in _in_file_order(rows):
            image = self.images[row]
            top, left = (round((n - side) / 2) for n in image.shape[1:])
            x[place] = image[:, top : top + side, left : left + side]
        return torch.from_numpy(x).to(rows.device)

    def source(self, rows: Tensor) -> Tensor:
        """Bytes (B, 3, h, w) with the largest h and w of these images."""
        height, width = self.sizes(rows).amax(dim=0).tolist()
        x = np.zeros((len(rows), 3, height, width), dtype=np.uint8)
        for place, row in _in_file_order(rows):
            image = self.images[row]
            x[place, :, : image.shape[1], : image.shape[2]] = image
        return torch.from_numpy(x).to(rows.device)


def _in_file_order(rows: Tensor) -> list[tuple[int, int]]:
    """(place in the batch, row) from the first row to the last, so that reads of a memory map are sequential."""
    order = torch.argsort(rows)
    return list(zip(order.tolist(), rows[order].tolist(), strict=True))


def as_stored(array: Any) -> Stored:
    """The way in which an array is read; one that knows its way is taken as it is."""
    if isinstance(array, RaggedImages):
        return Ragged(array)
    return array if hasattr(array, "shown") else Plain(array)
