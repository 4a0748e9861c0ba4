"""Are prepared arrays still what was prepared? Asked once by every process that reads images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recollect.datasets.checksums import ARRAYS, ContentHash
from recollect.datasets.packed import PackedArrays
from recollect.datasets.ragged import RaggedImages
from recollect.datasets.store import SIZES, Prepared, open_prepared, redo

BLOCK_BYTES = 1 << 24


def check_intact(folder: Path) -> Prepared:
    """Open a prepared data set and compare all its bytes with their hash; about a second per gigabyte.

    Raises:
        MissingData: nothing was prepared there.
        CorruptData: something was changed since; says what to delete and redo.
    """
    data = open_prepared(folder)
    found = content_of(data)
    if found != data.info["content_sha256"]:
        raise redo(folder, f"the arrays in {folder} were changed since they were prepared")
    return data


def content_of(data: Prepared) -> str:
    """SHA-256 of the arrays as they are now, the one that ``prepare`` wrote down."""
    content = ContentHash()
    for name in ARRAYS:
        array = getattr(data, name)
        if isinstance(array, RaggedImages):
            content.begin(name, array.dtype, (len(array), 3))
            _add(content, array.flat)
            _whole(content, SIZES, array.sizes)
        elif isinstance(array, PackedArrays):
            _whole(content, name, array.present)
            for modality, values in array.values.items():
                _whole(content, f"{name.removesuffix('_x')}_{modality}", values)
        else:
            _whole(content, name, array)
    return content.hexdigest()


def _whole(content: ContentHash, name: str, array: Any) -> None:
    content.begin(name, array.dtype, array.shape)
    _add(content, array)


def _add(content: ContentHash, array: Any) -> None:
    rows = max(1, BLOCK_BYTES // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), rows):
        content.update(array[start : start + rows])
