"""The vocabulary of data sets: what one is, which files it needs, and what a loader hands back."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Counts = tuple[int, ...]
BATCH_ROWS = 2048
DTYPES: dict[str, np.dtype] = {"uint8": np.dtype("u1"), "float32": np.dtype("<f4")}
"""How images may be stored: as 0..255, or as the numbers that they are."""
MODALITY_DTYPES: dict[str, np.dtype] = {**DTYPES, "float16": np.dtype("<f2")}
"""How a modality may be stored."""


@dataclass(frozen=True)
class RemoteFile:
    """One official file: where it belongs in `data_dir` and how to recognise a download of it.

    Checksums and `size_bytes` (None: not published) concern downloads only; files found in `data_dir` may be
    repacked and are verified by their decoded content instead.
    """

    path: str
    urls: tuple[str, ...]
    sha256: str | None = None
    md5: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class StoredModality:
    """One kind of measurement: its name, the shape of one sample, and its dtype as stored.

    `dtype` is a key of `MODALITY_DTYPES`; uint8 means 0..255, of which methods see fractions, other numbers stay
    as they are. `optional`: samples may lack it, and the split step says what becomes of a task in which all do.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    optional: bool = False


def packed_shape(modalities: Sequence[StoredModality]) -> tuple[int, int, int]:
    """What methods see of a sample of several modalities: one row, (1, 1, flags and values)."""
    return 1, 1, sum(1 + math.prod(modality.shape) for modality in modalities)


@dataclass(frozen=True)
class Block:
    """Consecutive samples of several modalities.

    `values` holds (b, *shape) in the dtype of each modality; one that is left out is absent from all b. `present`
    says, bool (b,), who has a modality (left out: all). Who has none at all could not be read.
    """

    values: Mapping[str, np.ndarray]
    present: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Train or test half of a decoded data set.

    `y` holds labels, int64 (N,). `images` yields batches (b, C, H, W) of the spec's dtype that add up to N rows,
    in the order of `y`, and may be consumed once: a set too large for memory decodes them lazily. `origin` is
    for messages. `own_sizes`, instead of `images`, yields single images, uint8 (3, h, w), that differ in size.
    `blocks`, instead of both, yields samples of several modalities; the names of those that could not be read are
    in `unreadable` when all were yielded.
    """

    y: np.ndarray
    images: Iterable[np.ndarray]
    origin: str
    own_sizes: Iterable[np.ndarray] | None = None
    blocks: Iterable[Block] | None = None
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decoded:
    """What a loader returns: both halves, and the files (or folders) that were read."""

    train: Part
    test: Part
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class DatasetSpec:
    """Everything Recollect knows about one data set.

    `load` reads official files from a `data_dir` and raises `MissingData` or `CorruptData`; sets without
    `files` are embedded in a dependency or in Recollect and ignore it. `train_counts` / `test_counts` are images
    per class (None: not known; all zero: there is no such half). `content_sha256` is `checksums.content_sha256`
    of the prepared arrays; `rows_sha256` is the same idea blind to row order, for sets that circulate in several
    orders. None: only shapes and counts are checked. `dtype` is a key of `DTYPES`. `input_shape` is what methods
    see; where images are stored smaller and enlarged on the device, `stored_shape` says how; `own_sizes` are
    training images that differ in size, of which methods see the centre or resized crops. `modalities`: samples
    are not images but have these, and `input_shape` is their `packed_shape`.
    """

    name: str
    title: str
    n_classes: int
    input_shape: tuple[int, int, int]
    files: tuple[RemoteFile, ...]
    load: Callable[[Path], Decoded]
    how_to_get: str
    licence: str
    citation: str
    train_counts: Counts | None = None
    test_counts: Counts | None = None
    content_sha256: str | None = None
    rows_sha256: str | None = None
    dtype: str = "uint8"
    stored_shape: tuple[int, int, int] | None = None
    own_sizes: bool = False
    modalities: tuple[StoredModality, ...] = ()

    @property
    def has_test(self) -> bool:
        """Whether there is a test half."""
        return self.test_counts is None or any(self.test_counts)


def in_batches(x: np.ndarray, rows: int = BATCH_ROWS) -> Iterator[np.ndarray]:
    """Yield consecutive slices of at most `rows` rows, so that writers copy little at a time."""
    for start in range(0, len(x), rows):
        yield x[start : start + rows]
