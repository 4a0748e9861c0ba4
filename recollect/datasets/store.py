"""Prepared data sets on disk: four .npy files and, written last, the dataset.json that vouches for them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recollect.datasets.checksums import ARRAYS
from recollect.datasets.errors import CannotWrite, CorruptData, MissingData
from recollect.datasets.packed import PackedArrays
from recollect.datasets.ragged import RaggedImages
from recollect.datasets.spec import DTYPES, MODALITY_DTYPES, StoredModality
from recollect.files import sealed, unsealed

SCHEMA = 1
INFO = "dataset.json"
SIZES = "train_sizes"
"""Array beside training images of their own sizes: int32 (N, 2), height and width."""
MAX_FLAT_BYTES = 1 << 44
_KEYS = {
    "schema": int,
    "dataset": str,
    "title": str,
    "n_classes": int,
    "input_shape": list,
    "train": dict,
    "test": dict,
    "content_sha256": str,
    "verified": str,
    "source": str,
    "files": list,
}
_OPTIONAL = {"stored_shape": list, "own_sizes": bool, "modalities": list, "unreadable": dict}


@dataclass(frozen=True)
class Prepared:
    """A prepared data set.

    `info` is dataset.json; `train_x` / `test_x` are read-only memory maps (N, C, H, W), uint8 unless
    `info["dtype"]` says "float32"; `train_y` / `test_y` int64 (N,). Methods see images of `info["input_shape"]`:
    the arrays are smaller where there is `info["stored_shape"]`, and `train_x` is a `RaggedImages` where
    `info["own_sizes"]` is true. With `info["modalities"]` both are `PackedArrays`, samples of several modalities.
    """

    info: dict[str, Any]
    train_x: Any
    train_y: np.ndarray
    test_x: Any
    test_y: np.ndarray

    @property
    def enlarged_side(self) -> int | None:
        """Methods see images of side x side, larger than they are stored; None: as they are stored."""
        return self.info["input_shape"][-1] if "stored_shape" in self.info else None

    @property
    def value_range(self) -> tuple[float, float]:
        """What maps to [0, 1]: 0 and 255 of uint8 images, else the extremes of the training images."""
        low, high = self.info.get("value_range", (0.0, 255.0))
        return low, high


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn an OSError (read-only, disk full, quota, not a folder) into `CannotWrite` that names `folder`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotWrite(
            f"Cannot write to {folder} ({reason}): free some space, correct its permissions or choose "
            "another folder"
        ) from error


class NpyWriter:
    """Write a .npy file front to back, a batch of rows at a time.

    Plain writes, not a memory map: on a full disk a write fails with an error that can be told, while a
    touched page of a sparse map kills the process.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self._path, self._dtype, self._shape = path, dtype, shape
        self._rows = 0
        with writing(path.parent):
            self._stream = path.open("wb")
            header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._stream, header)

    def write(self, block: np.ndarray) -> None:
        """Append rows; raises ValueError if dtype, row shape or the number of rows do not fit."""
        fits = block.dtype == self._dtype and block.shape[1:] == self._shape[1:]
        if not fits or self._rows + len(block) > self._shape[0]:
            raise ValueError(
                f"{self._path.name}: {block.dtype} {block.shape} does not fit {self._dtype} {self._shape}"
            )
        with writing(self._path.parent):
            self._stream.write(np.ascontiguousarray(block).tobytes())
        self._rows += len(block)

    @property
    def rows(self) -> int:
        """How many were written."""
        return self._rows

    def close(self) -> None:
        """Flush and close; raises ValueError when rows are missing."""
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._path.name}: {self._rows} rows written of {self._shape[0]}")
        with writing(self._path.parent):
            self._stream.close()

    def abandon(self) -> None:
        """Close whatever was written, ignoring errors; for use while another error is on its way."""
        try:
            self._stream.close()
        except OSError:
            return


class FlatNpyWriter(NpyWriter):
    """Write a one-dimensional uint8 .npy file whose length is known at its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, np.dtype("u1"), (MAX_FLAT_BYTES,))

    def close(self) -> None:
        """Put the length into the header, which numpy pads for that, and close."""
        self._shape = (self._rows,)
        with writing(self._path.parent):
            end = self._stream.tell() - self._rows
            self._stream.seek(0)
            header = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
            np.lib.format.write_array_header_1_0(self._stream, header)
            if self._stream.tell() != end:
                raise ValueError(f"{self._path.name}: numpy wrote a header of another length")
        super().close()


def write_info(info: dict[str, Any], path: Path) -> None:
    """Write dataset.json (sorted keys, so that the same content gives the same bytes)."""
    with writing(path.parent):
        path.write_text(json.dumps(sealed(info), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def open_prepared(out_dir: Path) -> Prepared:
    """Open what `prepare` wrote, as read-only memory maps, after checking it against dataset.json.

    Raises:
        MissingData: nothing was prepared there.
        CorruptData: dataset.json or an array is damaged or does not fit; says what to delete and redo.
    """
    info = read_info(out_dir)
    arrays: dict[str, Any] = {name: _open_array(out_dir, name) for name in ARRAYS}
    shape = info.get("stored_shape", info["input_shape"])
    for half in ("train", "test"):
        n = info[half]["n"]
        dtype = DTYPES[info.get("dtype", "uint8")]
        if "modalities" in info:
            arrays[f"{half}_x"] = _packed(out_dir, half, arrays[f"{half}_x"], info)
        elif half == "train" and info.get("own_sizes"):
            arrays["train_x"] = _ragged(out_dir, arrays["train_x"], n, shape[-1])
        else:
            _check_array(out_dir, f"{half}_x", arrays[f"{half}_x"], dtype, (n, *shape))
        _check_array(out_dir, f"{half}_y", arrays[f"{half}_y"], np.dtype("<i8"), (n,))
        _check_counts(out_dir, f"{half}_y", arrays[f"{half}_y"], info[half].get("class_counts"))
    return Prepared(info=info, **arrays)


def _packed(out_dir: Path, half: str, present: np.ndarray, info: dict[str, Any]) -> PackedArrays:
    try:
        modalities = [StoredModality(**{**entry, "shape": tuple(entry["shape"])}) for entry in info["modalities"]]
        dtypes = [MODALITY_DTYPES[modality.dtype] for modality in modalities]
    except (TypeError, KeyError) as error:
        raise redo(out_dir, f"{out_dir / INFO} garbles its modalities ({error})") from None
    n, values = info[half]["n"], {}
    _check_array(out_dir, f"{half}_x", present, np.dtype("u1"), (n, len(modalities)))
    for modality, dtype in zip(modalities, dtypes, strict=True):
        name = f"{half}_{modality.name}"
        values[modality.name] = _open_array(out_dir, name)
        _check_array(out_dir, name, values[modality.name], dtype, (n, *modality.shape))
    return PackedArrays(tuple(modalities), present, values)


def _ragged(out_dir: Path, flat: np.ndarray, n: int, side: int) -> RaggedImages:
    sizes = _open_array(out_dir, SIZES)
    _check_array(out_dir, SIZES, sizes, np.dtype("<i4"), (n, 2))
    _check_array(out_dir, "train_x", flat, np.dtype("u1"), (flat.size,))
    try:
        return RaggedImages(flat, np.array(sizes), side)
    except ValueError as error:
        raise redo(out_dir, f"{out_dir / 'train_x.npy'} does not fit {SIZES}.npy ({error})") from None


def read_info(out_dir: Path) -> dict[str, Any]:
    """Read and check dataset.json.

    Raises:
        MissingData: it is not there. CorruptData: it is not what `prepare` writes.
    """
    path = out_dir / INFO
    if not os.path.isfile(path):
        raise MissingData(
            f"No prepared data set in {out_dir} ({INFO} is not there): prepare it first", looked=[str(path)]
        )
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        info = unsealed(info) if isinstance(info, dict) else info
    except (OSError, ValueError) as error:
        raise redo(out_dir, f"{path} cannot be read ({error})") from error
    if not isinstance(info, dict) or info.get("schema") != SCHEMA:
        raise redo(out_dir, f"{path} is not of schema {SCHEMA}")
    wrong = [key for key, kind in _KEYS.items() if not isinstance(info.get(key), kind)]
    wrong += [half for half in ("train", "test") if half not in wrong and not isinstance(info[half].get("n"), int)]
    wrong += _wrong_values(info)
    wrong += [key for key, kind in _OPTIONAL.items() if key in info and not isinstance(info[key], kind)]
    if wrong:
        raise redo(out_dir, f"{path} lacks or garbles {', '.join(wrong)}")
    return info


def _wrong_values(info: dict[str, Any]) -> list[str]:
    """Keys on pixel values that are not as `prepare` writes them: none for uint8, two for anything else."""
    if "dtype" not in info:
        return []
    limits = info.get("value_range")
    numbers = isinstance(limits, list) and [type(limit) for limit in limits] == [float, float]
    return [key for key, right in (("dtype", info["dtype"] in DTYPES), ("value_range", numbers)) if not right]


def _open_array(out_dir: Path, name: str) -> np.ndarray:
    path = out_dir / f"{name}.npy"
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise redo(out_dir, f"{path} cannot be opened ({reason or error})") from error


def _check_array(out_dir: Path, name: str, array: np.ndarray, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    path = out_dir / f"{name}.npy"
    if array.dtype != dtype or array.shape != shape:
        raise redo(out_dir, f"{path} is {array.dtype} {array.shape}, {INFO} says {dtype} {shape}")
    if isinstance(array, np.memmap) and path.stat().st_size != array.offset + array.nbytes:
        raise redo(out_dir, f"{path} has bytes after its end")


def _check_counts(out_dir: Path, name: str, labels: np.ndarray, counts: list[int] | None) -> None:
    """One changed label changes two counts: the steps that read labels only notice by that."""
    if counts is None:
        return
    known = labels.size == 0 or (labels.min() >= 0 and labels.max() < len(counts))
    if not known or np.bincount(labels, minlength=len(counts)).tolist() != counts:
        raise redo(out_dir, f"{out_dir / f'{name}.npy'} has other numbers of samples per class than {INFO} says")


def redo(out_dir: Path, what: str) -> CorruptData:
    """The error that says what is wrong with a prepared data set and what to do."""
    return CorruptData(f"{what}: delete {out_dir} and prepare the data set again")
