"""Images corrupted here: the same each time, of the same shape, and the harder the severity the further away."""

import re

import numpy as np
import pytest

from recollect.robustness import generate
from recollect.robustness.generate import CORRUPTION_NAMES, FRAMES, PERTURBATIONS, corrupted, describe, perturbed


@pytest.fixture(scope="module")
def photos():
    """Two smooth colour images of 32 x 32."""
    y, x = np.mgrid[0:32, 0:32] / 31
    first = np.stack([x, y, (x + y) / 2], axis=2)
    return (255 * np.stack([first, first[::-1] * 0.6 + 0.2])).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTION_NAMES)
def test_every_corruption_is_repeatable_and_changes_the_images(photos, name):
    before, state = photos.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = corrupted(photos, name, 3)
    assert (found.shape, found.dtype) == (photos.shape, np.uint8)
    assert np.array_equal(found, corrupted(photos, name, 3))
    assert not np.array_equal(found, photos)
    assert np.array_equal(photos, before)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("name", ["gaussian_noise", "brightness", "contrast", "defocus_blur"])
def test_severities_lead_further_and_further_away(photos, name):
    distances = [np.abs(corrupted(photos, name, s).astype(int) - photos).mean() for s in (1, 3, 5)]
    assert distances == sorted(distances)
    assert distances[0] < distances[-1]


def test_small_grey_images_stay_small_and_grey():
    digits = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    found = corrupted(digits, "brightness", 2)
    assert (found.shape, found.dtype) == (digits.shape, np.uint8)
    assert found.mean() > digits.mean()


def test_the_rows_of_a_block_do_not_share_their_noise(photos):
    same = np.stack([photos[0]] * 2)
    first, second = corrupted(same, "gaussian_noise", 1)
    assert not np.array_equal(first, second)


def test_a_function_that_divides_by_zero_is_drawn_again_and_then_left_alone(photos, monkeypatch):
    calls = []

    def failing(image, **options):
        calls.append(int(np.random.randint(1 << 30)))  # noqa: NPY002
        return np.uint8(np.zeros(1) / np.zeros(1)) if len(calls) < 3 or always else 255 - image

    import imagecorruptions

    monkeypatch.setattr(imagecorruptions, "corrupt", failing)
    always = False
    assert np.array_equal(corrupted(photos[:1], "spatter", 1)[0], 255 - photos[0])
    assert len(set(calls)) == 3
    always = True
    assert np.array_equal(corrupted(photos[:1], "spatter", 1)[0], photos[0])
    assert len(calls) == 3 + generate.REDRAWS


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_sequences_pass_through_the_image_and_move_every_frame(photos, name):
    found = perturbed(photos, name)
    assert (found.shape, found.dtype) == ((2, FRAMES, 32, 32, 3), np.uint8)
    assert np.array_equal(found, perturbed(photos, name))
    if name != "gaussian_noise":
        assert np.array_equal(found[:, FRAMES // 2], photos)
    assert not np.array_equal(found[:, 0], found[:, -1])


def test_tables_are_told_what_the_images_are_not():
    told = describe("corruptions", "CIFAR-100-C")
    assert re.fullmatch(r"corruptions made here with imagecorruptions-imaug \d.* \(.*\), not CIFAR-100-C", told)
    assert describe("perturbations", "CIFAR-100-P").endswith(
        "made here (brightness, gaussian_noise, rotate, scale, translate), not CIFAR-100-P"
    )
    assert "not" not in describe("corruptions", None)
