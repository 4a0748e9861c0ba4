"""Writing samples of several modalities: one array of flags, and one per modality."""

from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from recollect.datasets.checksums import ContentHash
from recollect.datasets.errors import CorruptData
from recollect.datasets.spec import MODALITY_DTYPES, Block, DatasetSpec, Decoded, Part, StoredModality, in_batches
from recollect.datasets.store import NpyWriter

RESERVED = ("x", "y", "sizes")
"""Names of other arrays of a prepared data set."""


def write_modalities(
    spec: DatasetSpec, part: Part, half: str, folder: Path, content: ContentHash, progress: bool
) -> None:
    """Stream `part.blocks` to `{half}_{modality}.npy`, and the flags who has what to `{half}_x.npy`.

    Raises:
        CorruptData: blocks of other shapes than the spec says, more or fewer samples than labels, a modality that
        all must have is absent, or nothing readable.
    """
    n = len(part.y)
    writers = {m.name: NpyWriter(folder / f"{half}_{m.name}.npy", *_stored(m, n)) for m in spec.modalities}
    flags: list[np.ndarray] = []
    try:
        with tqdm(total=n, unit=" samples", desc=half, disable=None if progress else True) as bar:
            for block in part.blocks or ():
                present = _write_block(spec, block, writers)
                flags.append(present)
                bar.update(len(present))
        for writer in writers.values():
            writer.close()
    except ValueError as error:
        raise CorruptData(
            f"{part.origin} holds samples of another shape or number than expected ({error})"
        ) from error
    finally:
        for writer in writers.values():
            writer.abandon()
    present = np.concatenate(flags) if flags else np.zeros((0, len(spec.modalities)), dtype=np.uint8)
    _check_present(spec, part, present)
    writer = NpyWriter(folder / f"{half}_x.npy", present.dtype, present.shape)
    writer.write(present)
    writer.close()
    for name in ("x", *writers):
        array = np.load(folder / f"{half}_{name}.npy", mmap_mode="r", allow_pickle=False)
        content.begin(f"{half}_{name}", array.dtype, array.shape)
        for rows in in_batches(array):
            content.update(rows)


def _stored(modality: StoredModality, n: int) -> tuple[np.dtype, tuple[int, ...]]:
    if modality.name in RESERVED:
        raise ValueError(f"a modality cannot be called {modality.name!r}: the store has an array of that name")
    return MODALITY_DTYPES[modality.dtype], (n, *modality.shape)


def _write_block(spec: DatasetSpec, block: Block, writers: dict[str, NpyWriter]) -> np.ndarray:
    """Write one block, zeros where a modality is absent; returns its flags, uint8 (b, M)."""
    sizes = {name: len(x) for name, x in (*block.values.items(), *block.present.items())}
    unknown = sorted((set(block.values) | set(block.present)) - set(writers))
    if unknown or len(set(sizes.values())) != 1:
        raise ValueError(f"unknown modality {unknown[0]}" if unknown else f"numbers of samples differ: {sizes}")
    n, columns = next(iter(sizes.values())), []
    for modality in spec.modalities:
        x = block.values.get(modality.name)
        if x is None:
            x, here = np.zeros((n, *modality.shape), MODALITY_DTYPES[modality.dtype]), np.zeros(n, dtype=bool)
        else:
            here = np.asarray(block.present.get(modality.name, np.ones(n, dtype=bool)), dtype=bool)
        if not np.isfinite(x[here]).all():
            raise ValueError(f"modality {modality.name} holds values that are not finite")
        writers[modality.name].write(x if here.all() else np.where(_like(here, x), x, np.zeros((), x.dtype)))
        columns.append(here)
    return np.stack(columns, axis=1).astype(np.uint8)


def _like(here: np.ndarray, x: np.ndarray) -> np.ndarray:
    return here.reshape(-1, *[1] * (x.ndim - 1))


def _check_present(spec: DatasetSpec, part: Part, present: np.ndarray) -> None:
    readable = present.any(axis=1)
    if len(present) and not readable.any():
        named = f", first {part.unreadable[0]}" if part.unreadable else ""
        raise CorruptData(f"{part.origin}: none of its {len(present):,} samples could be read{named}: replace it")
    for column, modality in enumerate(spec.modalities):
        lacking = int((readable & (present[:, column] == 0)).sum())
        if lacking and not modality.optional:
            raise CorruptData(
                f"{part.origin}: {lacking:,} samples lack modality {modality.name}, which all must have"
            )


def describe_modalities(spec: DatasetSpec, decoded: Decoded, folder: Path) -> dict[str, Any]:
    """What dataset.json says of modalities: how they are stored, the values that methods see, who lacks what.

    `value_range` spans the training values of all modalities: fractions for bytes, and the flags 0 and 1.
    """
    if not spec.modalities:
        return {}
    low, high = 0.0, 1.0
    for modality in (m for m in spec.modalities if m.dtype != "uint8"):
        x = np.load(folder / f"train_{modality.name}.npy", mmap_mode="r", allow_pickle=False)
        for rows in in_batches(x):
            low, high = min(low, float(rows.min())), max(high, float(rows.max()))
    entries = [
        {"name": m.name, "shape": list(m.shape), "dtype": m.dtype, "optional": m.optional} for m in spec.modalities
    ]
    info: dict[str, Any] = {"modalities": entries, "value_range": [low, high]}
    unreadable = {half: part.unreadable for half, part in (("train", decoded.train), ("test", decoded.test))}
    return {**info, "unreadable": unreadable} if any(unreadable.values()) else info
