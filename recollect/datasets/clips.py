"""Clips decoded one after another: what cannot be read is named, kept as a gap, and left to the split."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.spec import MODALITY_DTYPES, Block, Part, StoredModality

LOG = logging.getLogger("recollect.datasets")
BATCH = 16
Sample = Mapping[str, np.ndarray]


def clip_part(
    y: Sequence[int], names: Sequence[str], origin: str, modalities: Sequence[StoredModality],
    decode: Callable[[int], Sample],
) -> Part:  # fmt: skip
    """A half whose samples are decoded when they are asked for.

    Args:
        y: label of every clip.
        names: of the clips, for messages.
        origin: where they lie, for messages.
        modalities: what a sample may have.
        decode: number of a clip to its modalities, (*shape) each; one that is left out is absent. `CorruptData`
            makes the clip one that could not be read: decoding goes on, and whether a split may leave it out is
            decided by the scenario.
    """
    unreadable: list[str] = []
    blocks = _blocks(names, modalities, decode, unreadable)
    return Part(np.asarray(y, dtype=np.int64), (), origin, blocks=blocks, unreadable=unreadable)


def _blocks(
    names: Sequence[str],
    modalities: Sequence[StoredModality],
    decode: Callable[[int], Sample],
    unreadable: list[str],
) -> Iterator[Block]:
    for start in range(0, len(names), BATCH):
        batch = [_sample(n, names, decode, unreadable) for n in range(start, min(start + BATCH, len(names)))]
        values = {m.name: np.stack([_value(m, sample) for sample in batch]) for m in modalities}
        present = {m.name: np.array([m.name in sample for sample in batch]) for m in modalities}
        yield Block(values, present)


def _sample(number: int, names: Sequence[str], decode: Callable[[int], Sample], unreadable: list[str]) -> Sample:
    try:
        return decode(number)
    except CorruptData as error:
        LOG.warning("%s is left out: %s", names[number], error)
        unreadable.append(names[number])
        return {}


def _value(modality: StoredModality, sample: Sample) -> np.ndarray:
    dtype = MODALITY_DTYPES[modality.dtype]
    if modality.name not in sample:
        return np.zeros(modality.shape, dtype)
    value = np.asarray(sample[modality.name])
    if value.shape != modality.shape:
        raise ValueError(f"{modality.name} {value.shape} where {modality.shape} is expected")
    return value.astype(dtype, copy=False)
