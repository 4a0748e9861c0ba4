"""The made-up responses: their stated model, their statistics, and that they are the same everywhere."""

import math

import numpy as np
import pandas as pd
import pytest

from recollect.datasets import DATASETS, open_prepared, prepare
from recollect.datasets.cern_zdc import training_rows
from recollect.datasets.cern_zdc_synthetic import (
    energies,
    intensities,
    load_cern_zdc_synthetic,
    showers,
    synthetic,
)


def arrays(decoded):
    return [np.concatenate(list(part.images)) for part in (decoded.train, decoded.test)]


@pytest.fixture(scope="module")
def small():
    """1,200 samples: counts (N, 44, 44) and labels in the order of the draw, energies and shower parameters."""
    decoded, is_train = synthetic(1200), training_rows(1200)
    counts, labels = np.empty((1200, 44, 44)), np.empty(1200, dtype=int)
    for rows, part, x in zip((is_train, ~is_train), (decoded.train, decoded.test), arrays(decoded), strict=True):
        counts[rows], labels[rows] = np.expm1(x[:, 0].astype(np.float64)), part.y
    energy = energies(1200)
    return counts, labels, energy, showers(energy)


def test_energies_are_log_uniform_and_labels_their_deciles(small):
    _, labels, energy, _ = small
    place = np.log(energy / 100) / math.log(30)
    assert 0 <= place.min() < place.max() < 1
    assert np.abs(np.sort(place) - (np.arange(1200) + 0.5) / 1200).max() < 0.05  # Kolmogorov-Smirnov, p ~ 0.005
    assert labels.tolist() == pd.qcut(energy, 10, labels=False).tolist()


def test_parameters_are_as_stated(small):
    _, _, energy, (photons, row, column, width) = *small[:3], small[3].T
    ratio = photons / (4 * energy)
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert ratio.std() == pytest.approx(0.1, abs=0.01)
    assert width == pytest.approx([2 * (e / 1000) ** (-1 / 6) for e in energy])
    for place in (row, column):
        assert 11 <= place.min() < 12
        assert 32 < place.max() <= 33
        assert place.mean() == pytest.approx(22, abs=0.8)
    assert abs(np.corrcoef(row, column)[0, 1]) < 0.1


def test_intensity_of_single_pixels_by_hand():
    photons, row, column, width = 1000.0, 20.3, 15.8, 1.7
    found = intensities(np.array([[photons, row, column, width]]))[0]
    for i, j in ((20, 15), (18, 17), (30, 3)):
        squared = (i + 0.5 - row) ** 2 + (j + 0.5 - column) ** 2
        core, halo = (
            share * math.exp(-squared / (2 * s**2)) / (2 * math.pi * s**2) for share, s in ((0.7, 1.7), (0.3, 5.1))
        )
        assert found[i, j] == pytest.approx(photons * (core + halo), rel=1e-12)


def test_no_photon_is_lost_in_the_middle_and_some_at_the_edge():
    middle, edge = intensities(np.array([[1000.0, 22, 22, 1.5], [1000.0, 11, 11, 2.9]])).sum(axis=(1, 2))
    assert middle == pytest.approx(1000, abs=0.1)
    assert 900 < edge < 999.9


def test_counts_are_poisson_about_the_intensities(small):
    counts, _, _, parameters = small
    expected = intensities(parameters)
    assert np.abs(counts - counts.round()).max() < 1e-3, "whole photons, up to the rounding of the logarithm"
    assert counts[expected < 1e-12].sum() == 0, "there is no background"
    busy = expected > 5
    squared = (counts[busy] - expected[busy]) ** 2 / expected[busy]
    assert busy.sum() > 10_000
    assert squared.mean() == pytest.approx(1, abs=0.05)


def test_higher_deciles_are_brighter_and_narrower(small):
    counts, labels, *_ = small
    bright = [counts[labels == k].sum(axis=(1, 2)).mean() for k in range(10)]
    assert np.all(np.diff(bright) > 0)
    assert bright[9] / bright[0] > 15
    share = counts.max(axis=(1, 2)) / counts.sum(axis=(1, 2))
    peaked = [share[labels == k].mean() for k in (0, 5, 9)]
    assert peaked[1] > 0.9 * peaked[0]
    assert peaked[2] > peaked[1]


def test_same_samples_every_time():
    for first, second in zip(arrays(synthetic(300)), arrays(synthetic(300)), strict=True):
        assert first.tobytes() == second.tobytes()


def test_whole_set_is_prepared_with_the_known_content(tmp_path):
    info = prepare("cern_zdc_synthetic", None, tmp_path, offline=True, progress=False)
    assert (info["verified"], info["source"], info["files"]) == ("known content", "embedded", [])
    assert (info["train"]["n"], info["test"]["n"]) == (9000, 3000)
    total = np.add(info["train"]["class_counts"], info["test"]["class_counts"])
    assert total.tolist() == [1200] * 10
    opened = open_prepared(tmp_path)
    assert (opened.train_x.dtype, opened.train_x.shape) == (np.float32, (9000, 1, 44, 44))
    assert opened.value_range == (0.0, pytest.approx(math.log(714), abs=1e-6))


def test_titles_say_that_it_is_synthetic():
    assert "synthetic" in DATASETS["cern_zdc_synthetic"].title
    assert load_cern_zdc_synthetic.__doc__
    assert "none" in DATASETS["cern_zdc_synthetic"].citation
