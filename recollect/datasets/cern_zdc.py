"""Neutron responses of the ALICE zero degree calorimeter, ordered by the energy of the particle.

Source: a GEANT simulation of the ALICE collaboration that is not public; files, labels and transform as in the
public code of its users (github KamilDeja/multiband_vae, continual_benchmark/dataloaders/base.py; m-wojnar/zdc,
zdc/utils/data.py). `data_nonrandom_responses.npz`: photon counts (N, 44, 44).
`data_nonrandom_particles.npz`: one row of nine numbers per response: Energy, Vx, Vy, Vz, Px, Py, Pz, mass, charge.

- the label is the decile of the energy over all N, 0 the lowest, cut as `pandas.qcut(energy, 10)` cuts;
- images are x <- log(1 + x), float32 (1, 44, 44).

Decisions [D]:
- a random three quarters are training data. The authors' draw depends on their program's global seed; ours is
  fixed, a part of the data set. Rows keep their order within each half;
- the logarithm is taken in double precision and rounded once, so that the bytes are the same on every machine.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.npz import read_rows, shape_of
from recollect.datasets.reading import locate
from recollect.datasets.spec import Decoded, Part

SIDE = 44
N_BINS = 10
N_COLUMNS, ENERGY = 9, 0
TRAIN_SHARE = 0.75
SEED = 20231213
"""Of the random halves; the number itself means nothing."""
RESPONSES, PARTICLES = "cern_zdc/data_nonrandom_responses.npz", "cern_zdc/data_nonrandom_particles.npz"
FOLDERS = ("cern_zdc", "cern", ".")


def load_cern_zdc(data_dir: Path) -> Decoded:
    """Read the responses: float32 (1, 44, 44), labels 0-9 by energy; images are read block by block.

    Raises:
        MissingData, CorruptData.
    """
    wanted = {
        name: [f"{folder}/{name.rpartition('/')[2]}" for folder in FOLDERS] for name in (RESPONSES, PARTICLES)
    }
    responses, particles = locate(data_dir, wanted).values()
    energy = _energy(particles)
    shape = shape_of(responses)
    if shape[1:] != (SIDE, SIDE):
        raise CorruptData(f"{responses} has the shape {shape}, not (N, {SIDE}, {SIDE}): use the official file")
    if shape[0] != len(energy):
        raise CorruptData(
            f"{responses} has {shape[0]} responses but {particles} has {len(energy)} particles: "
            "the two do not belong together, replace both"
        )
    labels, is_train = energy_bins(energy, str(particles)), training_rows(len(energy))

    def part(rows: np.ndarray) -> Part:
        return Part(labels[rows], log_images(read_rows(responses, rows), str(responses)), str(responses))

    return Decoded(part(is_train), part(~is_train), (responses, particles))


def _energy(path: Path) -> np.ndarray:
    shape = shape_of(path)
    if shape[1:] != (N_COLUMNS,):
        raise CorruptData(
            f"{path} has the shape {shape}, not (N, {N_COLUMNS}) with the energy first: use the official file"
        )
    rows = list(read_rows(path))
    if not rows:
        raise CorruptData(f"{path} has no particles: use the official file")
    return np.concatenate(rows)[:, ENERGY].astype(np.float64)


def energy_bins(energy: np.ndarray, origin: str) -> np.ndarray:
    """Cut energies at their deciles, a value on a decile going below it; (N,) -> int64 (N,) in 0..9.

    Raises:
        CorruptData: an energy is not finite, or too many are equal for ten bins.
    """
    import pandas  # the authors' own call: where a decile falls on a value, the last bit of it decides

    if not np.isfinite(energy).all():
        raise CorruptData(f"{origin} has an energy that is not a finite number: use the official file")
    try:
        return np.asarray(pandas.qcut(energy, N_BINS, labels=False), dtype=np.int64)
    except ValueError:
        reason = f"{origin} has too many equal energies for {N_BINS} bins"
        raise CorruptData(f"{reason}: use the official file") from None


def training_rows(n: int) -> np.ndarray:
    """Choose the training rows at random, the same for the same `n`; bool (n,), int(0.75 n) of them true."""
    chosen = np.zeros(n, dtype=bool)
    # RandomState: its stream is frozen (NEP 19), so that every NumPy makes the same halves.
    chosen[np.random.RandomState(SEED).permutation(n)[: int(n * TRAIN_SHARE)]] = True
    return chosen


def log_images(counts: Iterable[np.ndarray], origin: str) -> Iterator[np.ndarray]:
    """Turn blocks of photon counts (b, 44, 44) into images log(1 + count), float32 (b, 1, 44, 44).

    Raises:
        CorruptData: a count is negative or not a finite number.
    """
    for block in counts:
        x = block.astype(np.float64)
        if not (np.isfinite(x) & (x >= 0)).all():
            raise CorruptData(f"{origin} has a count that is negative or not a number: use the official file")
        yield np.log1p(x).astype("<f4")[:, None]
