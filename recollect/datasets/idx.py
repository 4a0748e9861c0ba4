"""The idx format of MNIST and FashionMNIST, plain or gzipped.

Layout (big-endian): two zero bytes, a type code (8 = unsigned byte), the number of dimensions, one 32-bit
size per dimension, then the values. Images have the magic number 2051 (3 dimensions), labels 2049 (1
dimension).
"""

import gzip
import math
from pathlib import Path
from typing import IO, cast

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import reading

IMAGES_NDIM = 3
LABELS_NDIM = 1
MAX_BYTES = 1 << 30


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read a whole idx file of unsigned bytes with `ndim` dimensions; a name ending in .gz is decompressed.

    Returns:
        uint8 array of the shape that the header states.

    Raises:
        CorruptData: wrong magic number, truncated, trailing bytes, or a header that claims over 1 GiB.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with reading(path), opener(path, "rb") as raw:
        stream = cast(IO[bytes], raw)
        shape = _read_shape(stream, path, ndim)
        n_bytes = math.prod(shape)
        if n_bytes > MAX_BYTES:
            raise CorruptData(
                f"{path} claims to hold {n_bytes:,} bytes, more than any idx file read here: refused"
            )
        body = stream.read(n_bytes + 1)
    if len(body) != n_bytes:
        what = "is truncated" if len(body) < n_bytes else "has bytes after its end"
        raise CorruptData(f"{path} {what}: its header states {shape}: replace it by an intact copy")
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


def _read_shape(stream: IO[bytes], path: Path, ndim: int) -> tuple[int, ...]:
    head = stream.read(4 + 4 * ndim)
    magic = int.from_bytes(head[:4], "big")
    expected = 0x0800 + ndim
    if len(head) < 4 or magic != expected:
        raise CorruptData(
            f"{path} starts with the magic number {magic} where {expected} is expected: it is another "
            "kind of file (images and labels swapped?) or damaged"
        )
    if len(head) < 4 + 4 * ndim:
        raise CorruptData(f"{path} is truncated inside its header: replace it by an intact copy")
    return tuple(int(size) for size in np.frombuffer(head[4:], dtype=">u4"))
