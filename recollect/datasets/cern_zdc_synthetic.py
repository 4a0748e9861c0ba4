"""Made-up calorimeter responses, so that everything that uses `cern_zdc` can be run without its files.

No physics simulation and no stand-in for published numbers: a drawing of what a shower looks like, with the few
properties that the task relies on. Per sample

- energy E: log-uniform in 100..3000 GeV;
- photons expected: 4 per GeV, times a gamma variate of mean 1 and standard deviation 0.1 (shower fluctuations);
- where: a point uniform in the central half of the detector in both directions;
- how wide: two round Gaussians about that point, 70 % of the photons in one of width
  w = 2 (E / 1 TeV)^(-1/6) pixels, 30 % in one of width 3 w. So a higher energy means a brighter, narrower peak;
- counts: Poisson per pixel, no background; what falls beside the detector is lost.

The brightest training pixel is log(1 + 713) = 6.6, near the 6.3 by which the users of the real data scale it.
Labels, transform and halves are those of `recollect.datasets.cern_zdc`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recollect.datasets.cern_zdc import SIDE, energy_bins, log_images, training_rows
from recollect.datasets.spec import Decoded, Part

N_SAMPLES = 12_000
ENERGY_GEV = (100.0, 3000.0)
PHOTONS_PER_GEV = 4.0
FLUCTUATION = 0.1
WIDTH_AT_1_TEV, WIDTH_POWER = 2.0, -1 / 6
CORE_SHARE, HALO_WIDTHS = 0.7, 3.0
BATCH = 500
SEED = 44
ORIGIN = "the generator of cern_zdc_synthetic"


def load_cern_zdc_synthetic(data_dir: Path) -> Decoded:
    """Draw the samples: 9,000 + 3,000 float32 images (1, 44, 44); `data_dir` is not looked at."""
    return synthetic(N_SAMPLES)


def synthetic(n: int) -> Decoded:
    """Draw `n` samples, the same for the same `n`; counts are drawn as the images are asked for."""
    energy = energies(n)
    labels, is_train = energy_bins(energy, ORIGIN), training_rows(n)
    parameters = showers(energy)

    def part(rows: np.ndarray, stream: int) -> Part:
        return Part(labels[rows], log_images(_counts(parameters[rows], stream), ORIGIN), ORIGIN)

    return Decoded(part(is_train, 2), part(~is_train, 3))


def energies(n: int) -> np.ndarray:
    """Draw log-uniform energies in GeV, (n,)."""
    low, high = ENERGY_GEV
    return low * (high / low) ** _random(0).random_sample(n)


def showers(energy: np.ndarray) -> np.ndarray:
    """Draw what else makes a shower: energies (n,) -> photons expected, row, column, width, (n, 4)."""
    rng, n = _random(1), len(energy)
    shape = FLUCTUATION**-2
    photons = PHOTONS_PER_GEV * energy * rng.gamma(shape, 1 / shape, n)
    row, column = rng.uniform(SIDE / 4, 3 * SIDE / 4, (2, n))
    return np.stack([photons, row, column, WIDTH_AT_1_TEV * (energy / 1000) ** WIDTH_POWER], axis=1)


def intensities(parameters: np.ndarray) -> np.ndarray:
    """Photons expected in every pixel: rows of `showers`, (b, 4) -> (b, 44, 44)."""
    photons, row, column, width = parameters.T[:, :, None]
    total = np.zeros((len(parameters), SIDE, SIDE))
    for share, widths in ((CORE_SHARE, 1.0), (1 - CORE_SHARE, HALO_WIDTHS)):
        along = _gaussian(row, width * widths)[:, :, None] * _gaussian(column, width * widths)[:, None, :]
        total += share * photons[:, :, None] * along
    return total


def _gaussian(centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Density at the middle of every pixel of one axis: (b, 1) and (b, 1) -> (b, 44)."""
    middle = np.arange(SIDE) + 0.5
    return np.exp(-0.5 * ((middle - centre) / width) ** 2) / (np.sqrt(2 * np.pi) * width)


def _counts(parameters: np.ndarray, stream: int) -> Iterator[np.ndarray]:
    rng = _random(stream)
    for start in range(0, len(parameters), BATCH):
        yield rng.poisson(intensities(parameters[start : start + BATCH]))


def _random(stream: int) -> np.random.RandomState:
    # Frozen streams (NEP 19); one each, so that no draw shifts another.
    return np.random.RandomState([SEED, stream])
