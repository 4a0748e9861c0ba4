"""Image files in a zip archive or in a folder, read in memory: nothing is ever extracted to disk."""

import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import reading

MAX_ENTRY_BYTES = 4 << 20
MAX_TOTAL_BYTES = 16 << 30


@dataclass(frozen=True)
class Limits:
    """How large an honest file, and all of an archive unpacked, may be."""

    entry_bytes: int
    total_bytes: int


class ImageTree(Protocol):
    """Read access to files by their relative path with forward slashes."""

    path: Path

    def names(self) -> list[str]:
        """Return the relative path of every file, unordered."""

    def read(self, name: str) -> bytes:
        """Return the bytes of one file; raises CorruptData."""


class FolderTree:
    """Files below a folder; symbolic links to folders are not followed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits

    def names(self) -> list[str]:
        """Return the relative path of every file, unordered."""
        found = []
        for folder, _, files in os.walk(self.path):
            base = Path(folder).relative_to(self.path)
            found += [(base / name).as_posix() for name in files]
        return found

    def read(self, name: str) -> bytes:
        """Return the bytes of one file of at most `limits.entry_bytes`."""
        path = self.path / name
        with reading(path):
            if path.stat().st_size > self.limits.entry_bytes:
                raise CorruptData(
                    f"{path} is larger than {self.limits.entry_bytes:,} bytes, too big for an image here: refused"
                )
            return path.read_bytes()


class ZipTree:
    """Files in a zip archive whose every entry has passed `check_entry`."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self._archive = archive
        # Not is_dir(), which fails with an IndexError on an entry without a name.
        self._entries = {i.filename: i for i in archive.infolist() if not i.filename.endswith("/")}
        for info in archive.infolist():
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            check_entry(path, info.filename, info.file_size, is_link, limits.entry_bytes)
        total = sum(info.file_size for info in self._entries.values())
        if total > limits.total_bytes:
            raise CorruptData(f"{path} claims to unpack to {total:,} bytes: refused")

    def names(self) -> list[str]:
        """Return the path of every file entry, unordered."""
        return list(self._entries)

    def read(self, name: str) -> bytes:
        """Return the bytes of one entry; zipfile reads no more than the checked size and checks the CRC."""
        with reading(self.path):
            return self._archive.read(self._entries[name])


def check_entry(archive: Path, name: str, size_bytes: int, is_link: bool, max_bytes: int) -> None:
    """Refuse an archive entry that could not be part of an honest data set.

    Raises:
        CorruptData: absolute path, drive or backslash, "..", symbolic link, or more than `max_bytes`
        unpacked.
    """
    if name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
        raise CorruptData(
            f"{archive}: entry {name!r} points outside the archive: refused, use the official archive"
        )
    if is_link:
        raise CorruptData(f"{archive}: entry {name!r} is a link: refused, use the official archive")
    if size_bytes > max_bytes:
        raise CorruptData(
            f"{archive}: entry {name!r} claims to unpack to {size_bytes:,} bytes (limit {max_bytes:,}): "
            "refused, use the official archive"
        )


@contextmanager
def open_tree(path: Path, limits: Limits | None = None) -> Iterator[ImageTree]:
    """Open a folder or a zip archive of images; `limits` defaults to those of small images.

    Raises:
        CorruptData: not a zip archive, truncated, or with hostile entries.
    """
    limits = limits or Limits(MAX_ENTRY_BYTES, MAX_TOTAL_BYTES)
    if path.is_dir():
        yield FolderTree(path, limits)
        return
    with reading(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield ZipTree(path, archive, limits)
