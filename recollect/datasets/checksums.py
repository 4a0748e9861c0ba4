"""Checksums of files and of decoded arrays."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recollect.datasets.reading import reading

ARRAYS = ("train_x", "train_y", "test_x", "test_y")
_BLOCK_ROWS = 4096


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hex digest of a file; raises CorruptData if it cannot be read."""
    with reading(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


class ContentHash:
    """SHA-256 over the four prepared arrays, fed one after another in the order of `ARRAYS`.

    For each array: one line `name dtype shape`, then its bytes in C order (uint8 images, little-endian int64
    labels).
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def begin(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        """Start the next array."""
        self._sha.update(f"{name} {dtype.str} {shape}\n".encode())

    def update(self, block: np.ndarray) -> None:
        """Add consecutive rows of the array begun last."""
        self._sha.update(np.ascontiguousarray(block).data)

    def hexdigest(self) -> str:
        """Return the digest of all that was added."""
        return self._sha.hexdigest()


class RowsHash:
    """Order-blind SHA-256 of one half: over the sorted SHA-256 digests of each row's label and image."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []

    def update(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add rows: images uint8 (b, C, H, W) with their labels int64 (b,)."""
        labels = y.astype("<i8")
        self._rows += [
            hashlib.sha256(labels[i].tobytes() + np.ascontiguousarray(x[i]).tobytes()).digest()
            for i in range(len(x))
        ]

    def digest(self) -> bytes:
        """Return the digest of the rows added so far, whatever their order."""
        return hashlib.sha256(b"".join(sorted(self._rows))).digest()


def content_sha256(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> str:
    """Return `ContentHash` of whole arrays: uint8 (N, C, H, W) images and int64 (N,) labels."""
    content = ContentHash()
    for name, array in zip(ARRAYS, (train_x, train_y, test_x, test_y), strict=True):
        content.begin(name, array.dtype, array.shape)
        for start in range(0, len(array), _BLOCK_ROWS):
            content.update(array[start : start + _BLOCK_ROWS])
    return content.hexdigest()


def rows_sha256(halves: Sequence[RowsHash]) -> str:
    """Join the digests of the train and the test half into one hex digest."""
    return hashlib.sha256(b"".join(half.digest() for half in halves)).hexdigest()
