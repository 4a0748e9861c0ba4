"""The array of a .npz file, read front to back in blocks of rows and never unpickled."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import reading

BLOCK_ROWS = 2048
FIRST = "arr_0.npy"
"""What `numpy.savez` calls an array that was given no name."""
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
Shape = tuple[int, ...]


def shape_of(path: Path) -> Shape:
    """Return the shape of the array in a .npz file without reading its values.

    Raises:
        CorruptData: no .npz file, or it holds no plain array of numbers.
    """
    with _array(path) as (_, _, shape):
        return shape


def read_rows(path: Path, keep: np.ndarray | None = None, rows: int = BLOCK_ROWS) -> Iterator[np.ndarray]:
    """Yield the rows where `keep`, bool (N,), holds (None: all), in their order; at most `rows` rows at a time.

    Raises:
        CorruptData: as `shape_of`, or the file has more or fewer values than it states.
    """
    with _array(path) as (stream, dtype, shape):
        row_bytes = dtype.itemsize * math.prod(shape[1:])
        for start in range(0, shape[0], rows):
            n = min(rows, shape[0] - start)
            data = stream.read(n * row_bytes)
            if len(data) != n * row_bytes:
                raise CorruptData(f"{path} ends before the last of its {shape[0]} rows: replace it")
            block = np.frombuffer(data, dtype).reshape(n, *shape[1:])
            if keep is not None:
                block = block[keep[start : start + n]]
            if len(block):
                yield block
        if stream.read(1):  # reading to the end is also what makes zipfile compare its checksum
            raise CorruptData(f"{path} has values after its {shape[0]} rows: replace it")


@contextmanager
def _array(path: Path) -> Iterator[tuple[IO[bytes], np.dtype, Shape]]:
    """Open the array: a stream that stands at its first value, its dtype and its shape."""
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(_name(path, archive.namelist())) as stream:
        shape, dtype = plain_header(path, stream)
        yield stream, dtype, shape


def plain_header(path: Path, stream: IO[bytes]) -> tuple[Shape, np.dtype]:
    """Read the header of a .npy file: shape and dtype; the stream then stands at the first value.

    Raises:
        CorruptData: garbled, or anything but a plain array of numbers in C order; names `path`.
    """
    shape, fortran, dtype = _header(path, stream)
    _check(path, shape, fortran, dtype)
    return shape, dtype


def _header(path: Path, stream: IO[bytes]) -> tuple[Shape, bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise CorruptData(f"{path} is written in .npy version {version}: save it again with numpy.savez")
    try:
        return _HEADERS[version](stream)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        raise
    except Exception as error:  # a forged header takes numpy's parser to several others: syntax, tokens, types
        reason = " ".join(str(error).split())
        raise CorruptData(f"{path} has a garbled header ({reason}): replace it by an intact copy") from error


def _name(path: Path, names: list[str]) -> str:
    arrays = [name for name in names if name.endswith(".npy")]
    if FIRST in arrays:
        return FIRST
    if len(arrays) != 1:
        raise CorruptData(f"{path} holds {len(arrays)} arrays, none called arr_0: use the official file")
    return arrays[0]


def _check(path: Path, shape: Shape, fortran: bool, dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise CorruptData(
            f"{path} holds Python objects: only unpickling could read them, which may run any code, so it is "
            "refused; use the official file, or save it again as plain arrays of numbers"
        )
    if dtype.kind not in "iuf":
        raise CorruptData(f"{path} holds values of type {dtype}, not plain numbers: use the official file")
    if fortran and len(shape) > 1:
        raise CorruptData(f"{path} is stored column by column: save it again in C order")
    if not shape or min(shape) < 0:
        raise CorruptData(f"{path} holds no rows but an array of shape {shape}: use the official file")
