"""Finding files in a `data_dir`, and turning what goes wrong while reading them into sentences."""

import gzip
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from recollect.datasets.errors import CorruptData, MissingData

# What the standard library raises on files that were cut, garbled or forged.
DAMAGED = (
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
MAX_PLACES_TOLD = 8


def locate(data_dir: Path, wanted: Mapping[str, Sequence[str]]) -> dict[str, Path]:
    """Find each wanted file in the first of its accepted places.

    Args:
        data_dir: folder that the places are relative to.
        wanted: official file (a `RemoteFile.path`) -> places to look, best first. A place may be a folder.

    Raises:
        MissingData: names all missing files and all places looked at.
    """
    found: dict[str, Path] = {}
    for name, places in wanted.items():
        hits = [data_dir / place for place in places if os.path.exists(data_dir / place)]
        if hits:
            found[name] = hits[0]
    missing = [name for name in wanted if name not in found]
    if missing:
        looked = [place for name in missing for place in wanted[name]]
        message = f"{', '.join(missing)} not found in {data_dir} ({_told(looked)})"
        raise MissingData(message, wanted=missing, looked=looked)
    return found


def locate_inside(
    data_dir: Path, name: str, folders: Sequence[str], wanted: Mapping[str, Sequence[str]]
) -> tuple[Path, dict[str, Path]]:
    """Find the folder of a data set, and files in it.

    Args:
        data_dir: folder that the folders are relative to.
        name: the `RemoteFile.path` of the data set.
        folders: where it may lie, best first.
        wanted: as for `locate`, relative to the folder that is found.

    Raises:
        MissingData: names what is missing; the official file that is wanted is `name`.
    """
    folder = locate(data_dir, {name: folders})[name]
    try:
        return folder, locate(folder, wanted)
    except MissingData as error:
        raise MissingData(str(error), wanted=(name,), looked=error.looked) from None


def _told(looked: Sequence[str]) -> str:
    if len(looked) <= MAX_PLACES_TOLD:
        return f"looked for {', '.join(looked)}"
    folders = dict.fromkeys(place.rpartition("/")[0] or "." for place in looked)
    return f"looked in its folders {', '.join(folders)}"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the exceptions of damaged or unreadable files into `CorruptData` that names `path`."""
    try:
        yield
    except DAMAGED as error:
        reason = str(error) or type(error).__name__
        raise CorruptData(f"{path} is truncated or damaged ({reason}): replace it by an intact copy") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise CorruptData(f"{path} cannot be read ({reason}): check the file and its permissions") from error
