"""Arrays in .npy files, in a folder or in an uncompressed .tar: mapped where they lie, nothing is unpickled."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.npz import plain_header
from recollect.datasets.reading import reading
from recollect.datasets.trees import check_entry

MAX_MEMBER_BYTES = 64 << 30


@dataclass(frozen=True)
class NpyFile:
    """One .npy file.

    Attributes:
        name: of the file, without folders and ``.npy``.
        path: the file itself, or the archive that it lies in.
        start, end: its first byte, and the one after its last.
    """

    name: str
    path: Path
    start: int
    end: int

    def open(self) -> np.ndarray:
        """Map the array, read-only.

        Raises:
            CorruptData: truncated, objects, or anything but a plain array of numbers.
        """
        with reading(self.path), self.path.open("rb") as stream:
            stream.seek(self.start)
            shape, dtype = plain_header(self.path, stream)
            first = stream.tell()
        if first + int(np.prod(shape)) * dtype.itemsize != self.end:
            raise CorruptData(f"{self.path}: {self.name}.npy is truncated or has bytes after its end: replace it")
        return np.memmap(self.path, dtype=dtype, mode="r", offset=first, shape=shape)


def list_npy(path: Path) -> list[NpyFile]:
    """The .npy files right in a folder or, in a .tar, in its one folder; sorted by name.

    Raises:
        CorruptData: no uncompressed .tar archive, or one with entries that could not be part of honest data.
    """
    if path.is_dir():
        files = [NpyFile(file.stem, file, 0, file.stat().st_size) for file in path.glob("*.npy")]
        return sorted(files, key=lambda file: file.name)
    files = []
    with reading(path), tarfile.open(path, "r:") as archive:
        for member in archive:
            check_entry(path, member.name, member.size, not (member.isfile() or member.isdir()), MAX_MEMBER_BYTES)
            parts = member.name.removeprefix("./").split("/")
            if member.isfile() and parts[-1].endswith(".npy") and len(parts) <= 2 and parts[-1][0] != ".":
                start = member.offset_data
                files.append(NpyFile(parts[-1].removesuffix(".npy"), path, start, start + member.size))
    return sorted(files, key=lambda file: file.name)
