"""The calorimeter files: labels by their definition, images by C's logarithm, and what may be wrong."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.datasets import DATASETS, open_prepared, prepare
from recollect.datasets.cern_zdc import energy_bins, load_cern_zdc, log_images, training_rows
from recollect.datasets.errors import CorruptData, MissingData
from recollect.files import read_json

RESPONSES, PARTICLES = "data_nonrandom_responses.npz", "data_nonrandom_particles.npz"


def made(n=40, seed=0):
    """Responses of whole photons and particles whose energies are all different."""
    rng = np.random.default_rng(seed)
    responses = rng.poisson(3.0, (n, 44, 44)).astype(np.float64)
    particles = rng.random((n, 9))
    particles[:, 0] = rng.permutation(np.geomspace(1, 1000, n))
    return responses, particles


def lay_out(folder, responses, particles):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / RESPONSES, responses)
    np.savez(folder / PARTICLES, particles)


def arrays(decoded):
    return [np.concatenate(list(part.images)) for part in (decoded.train, decoded.test)]


# Labels -----------------------------------------------------------------------------------------------


def test_bins_by_hand():
    """Deciles of 0..10 are 1, 2, ..., 9; a value on a decile belongs below it, so 0 and 1 share a bin."""
    assert energy_bins(np.arange(11.0), "x").tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert energy_bins(np.arange(20.0)[::-1], "x").tolist() == [k for k in range(9, -1, -1) for _ in "ab"]


@given(st.lists(st.integers(0, 10**6), min_size=10, max_size=200, unique=True))
@settings(max_examples=100, deadline=None)
def test_bins_against_the_definition(values):
    """Value v is in bin k if between k and k + 1 tenths of the way along the sorted values; exact integers."""
    n, place = len(values), {v: i for i, v in enumerate(sorted(values))}
    found = energy_bins(np.array(values, dtype=float), "x")
    for value, label in zip(values, found.tolist(), strict=True):
        tenths = 10 * place[value]
        if tenths % (n - 1):
            assert label == tenths // (n - 1)
        else:  # on a decile: below it, or above by a last bit
            assert label in (max(tenths // (n - 1) - 1, 0), min(tenths // (n - 1), 9))


@pytest.mark.parametrize("energy", [np.ones(20), np.repeat([1.0, 2, 3], 10), np.zeros(1)])
def test_too_many_equal_energies(energy):
    with pytest.raises(CorruptData, match="x has too many equal energies for 10 bins: use the official file"):
        energy_bins(energy, "x")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_energy_that_is_no_number(bad):
    energy = np.arange(20.0)
    energy[3] = bad
    with pytest.raises(CorruptData, match="x has an energy that is not a finite number"):
        energy_bins(energy, "x")


# Halves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "n_train"), [(4, 3), (10, 7), (11, 8), (12_000, 9_000)])
def test_three_quarters_are_training_rows(n, n_train):
    assert training_rows(n).sum() == n_train


def test_halves_are_random_and_frozen():
    assert np.flatnonzero(~training_rows(20)).tolist() == [1, 14, 15, 18, 19]
    chosen = training_rows(100_000)
    parts = chosen.reshape(10, -1).mean(axis=1)
    assert np.abs(parts - 0.75).max() < 0.02  # ten standard deviations of a tenth


# The whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["cern_zdc", "cern", "."])
def test_every_response_is_in_one_half_with_its_label(tmp_path, folder):
    responses, particles = made()
    lay_out(tmp_path / folder, responses, particles)
    decoded = load_cern_zdc(tmp_path)
    is_train = training_rows(40)
    labels = pd.qcut(particles[:, 0], 10, labels=False)
    table = np.array([np.float32(math.log(1 + count)) for count in range(30)])
    for part, x, rows in zip((decoded.train, decoded.test), arrays(decoded), (is_train, ~is_train), strict=True):
        assert (x.dtype, x.shape) == (np.float32, (rows.sum(), 1, 44, 44))
        assert part.y.tolist() == labels[rows].tolist()
        assert np.array_equal(x[:, 0], table[responses[rows].astype(int)])
    assert [path.name for path in decoded.files] == [RESPONSES, PARTICLES]


def test_blocks_do_not_matter(tmp_path, monkeypatch):
    lay_out(tmp_path / "cern_zdc", *made())
    whole = arrays(load_cern_zdc(tmp_path))
    monkeypatch.setattr("recollect.datasets.npz.read_rows.__defaults__", (None, 3))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(load_cern_zdc(tmp_path)), whole, strict=True))


def test_prepared_as_float32_with_the_range_of_the_training_images(tmp_path):
    responses, particles = made()
    responses[~training_rows(40)] *= 5  # the largest value is a test image
    for place in ("a", "b"):
        lay_out(tmp_path / place / "cern_zdc", responses, particles)
        info = prepare("cern_zdc", tmp_path / place, tmp_path / f"{place}-out", progress=False)
    opened = open_prepared(tmp_path / "a-out")
    high = np.log1p(responses[training_rows(40)].max()).astype(np.float32)
    assert (info["dtype"], info["value_range"]) == ("float32", [0.0, float(high)])
    assert opened.value_range == (0.0, float(high))
    assert opened.train_x.max() == high < opened.test_x.max()
    assert (opened.train_x.dtype, opened.train_x.shape) == (np.float32, (30, 1, 44, 44))
    assert (info["verified"], info["input_shape"], info["n_classes"]) == ("shapes and counts", [1, 44, 44], 10)
    assert [entry["path"] for entry in info["files"]] == [f"cern_zdc/{RESPONSES}", f"cern_zdc/{PARTICLES}"]
    for name in ("dataset.json", "train_x.npy", "test_x.npy", "train_y.npy", "test_y.npy"):
        assert (tmp_path / "a-out" / name).read_bytes() == (tmp_path / "b-out" / name).read_bytes()
    assert np.array_equal(np.load(tmp_path / "a-out/train_x.npy"), arrays(load_cern_zdc(tmp_path / "a"))[0])


def test_absent_files_say_whom_to_ask_and_what_to_do_meanwhile(tmp_path):
    with pytest.raises(MissingData) as error:
        prepare("cern_zdc", tmp_path, tmp_path / "out", progress=False)
    text = str(error.value)
    for needed in (
        f"cern_zdc/{RESPONSES}, cern_zdc/{PARTICLES} not found in {tmp_path}",
        f"looked for cern_zdc/{RESPONSES}, cern/{RESPONSES}",
        "not public",
        "ALICE",
        "authors of arXiv 2312.13699",
        "https://github.com/KamilDeja/multiband_vae",
        "https://github.com/m-wojnar/zdc",
        "cern_zdc_synthetic",
        "RECOLLECT_DATA",
    ):
        assert needed in text
    assert "\n" not in text
    assert not (tmp_path / "out").exists()


# What may be wrong ------------------------------------------------------------------------------------


def negative(responses, particles):
    responses[7, 3, 3] = -1
    return responses, particles


def not_a_number(responses, particles):
    responses[9, 0, 0] = np.nan
    return responses, particles


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r, p: (r[:-1], p), "has 39 responses but .* has 40 particles: the two do not belong together"),
        (lambda r, p: (r[:, :40], p), r"has the shape \(40, 40, 44\), not \(N, 44, 44\)"),
        (lambda r, p: (r, p[:, :8]), r"has the shape \(40, 8\), not \(N, 9\) with the energy first"),
        (lambda r, p: (r, p[:, 0]), r"has the shape \(40,\)"),
        (lambda r, p: (r[:0], p[:0]), "has no particles"),
        (lambda r, p: (r, np.ones_like(p)), "too many equal energies for 10 bins"),
        (negative, "has a count that is negative or not a number"),
        (not_a_number, "has a count that is negative or not a number"),
    ],
)
def test_damage_is_named(tmp_path, change, says):
    lay_out(tmp_path / "cern_zdc", *change(*made()))
    with pytest.raises(CorruptData, match=says) as error:
        prepare("cern_zdc", tmp_path, tmp_path / "out", progress=False)
    assert str(tmp_path / "cern_zdc") in str(error.value)
    assert not (tmp_path / "out").exists()


def test_pickled_arrays_are_refused(tmp_path):
    responses, particles = made()
    lay_out(tmp_path / "cern_zdc", responses.astype(object), particles)
    with pytest.raises(CorruptData, match=f"{RESPONSES} holds Python objects"):
        prepare("cern_zdc", tmp_path, tmp_path / "out", progress=False)


def test_whole_numbers_are_read_too(tmp_path):
    responses, particles = made()
    lay_out(tmp_path / "a/cern_zdc", responses, particles)
    lay_out(tmp_path / "b/cern_zdc", responses.astype(np.uint16), particles.astype(np.float32))
    a, b = load_cern_zdc(tmp_path / "a"), load_cern_zdc(tmp_path / "b")
    assert a.train.y.tolist() == b.train.y.tolist()
    assert np.array_equal(arrays(a)[0], arrays(b)[0])


def test_logarithm_is_rounded_once():
    counts = np.arange(100_000, dtype=np.float64).reshape(-1, 1, 1)
    found = next(log_images([counts], "x")).ravel()
    assert found.tolist() == [float(np.float32(math.log1p(c))) for c in range(100_000)]


def test_bytes_of_uint8_sets_say_nothing_of_values(tmp_path):
    info = prepare("digits", None, tmp_path, progress=False)
    assert not {"dtype", "value_range"} & set(info)
    assert open_prepared(tmp_path).value_range == (0.0, 255.0)
    assert read_json(tmp_path / "dataset.json", "") == info
    assert {spec.name for spec in DATASETS.values() if spec.dtype != "uint8"} == {"cern_zdc", "cern_zdc_synthetic"}
