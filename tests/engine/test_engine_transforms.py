"""Pixel permutation, rotation and augmentation against torch.rot90, scipy and loops written by hand."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from recollect.engine.augment import PADDING, augment, crop_flip
from recollect.engine.images import Part, TaskImages

CPU = torch.device("cpu")


def transformed(x, **transform):
    """All images of a uint8 array through a transform, float (N, C, H, W)."""
    images = TaskImages(
        [Part(torch.from_numpy(x), np.arange(len(x)), torch.zeros(len(x), dtype=torch.long), 0, transform)], CPU
    )
    return images.gather(torch.arange(len(x)))


@pytest.fixture
def square():
    return np.random.default_rng(0).integers(0, 256, (5, 3, 7, 7), dtype=np.uint8)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
@pytest.mark.parametrize("size", [7, 8])
def test_quarter_turns_equal_rot90_counter_clockwise(quarters, size):
    x = np.random.default_rng(0).integers(0, 256, (5, 3, size, size), dtype=np.uint8)
    expected = torch.rot90(torch.from_numpy(x).float() / 255, quarters, [2, 3])
    torch.testing.assert_close(transformed(x, rotate_degrees=90.0 * quarters), expected, rtol=0, atol=2e-5)


def test_the_direction_is_counter_clockwise():
    """A dot on the right edge goes to the top edge: what a reader of the image calls counter-clockwise."""
    x = np.zeros((1, 1, 5, 5), dtype=np.uint8)
    x[0, 0, 2, 4] = 255
    assert transformed(x, rotate_degrees=90.0)[0, 0].argmax().item() == 0 * 5 + 2


@pytest.mark.parametrize("shape", [(9, 9), (6, 11), (12, 5)])
@pytest.mark.parametrize("degrees", [17.0, 45.0, 130.0, 180.0])
def test_rotation_equals_scipys_bilinear_rotation(shape, degrees):
    """Also for images that are not square: the turn is in pixels, not in relative coordinates."""
    x = np.random.default_rng(1).integers(0, 256, (2, 1, *shape), dtype=np.uint8)
    expected = scipy.ndimage.rotate(
        x / 255.0, degrees, axes=(3, 2), reshape=False, order=1, mode="grid-constant", cval=0.0
    )
    found = transformed(x, rotate_degrees=degrees).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_no_rotation_is_exactly_nothing(square):
    assert torch.equal(transformed(square, rotate_degrees=0.0), torch.from_numpy(square).float() / 255)


def test_permutation_moves_the_pixels_of_the_flat_image(square):
    order = np.random.default_rng(3).permutation(square[0].size)
    expected = square.reshape(5, -1)[:, order].reshape(square.shape).astype(np.float32) / np.float32(255)
    found = transformed(square, permute=order.tolist())
    assert np.array_equal(found.numpy(), expected)
    assert torch.equal(
        found.flatten(1).sort().values, (torch.from_numpy(square).float() / 255).flatten(1).sort().values
    )


def crop_flip_by_hand(x, generator):
    """One image at a time: pad, cut out, flip."""
    shift = torch.randint(2 * PADDING + 1, (2, len(x)), generator=generator)
    flip = torch.rand(len(x), generator=generator) < 0.5
    images = []
    for i, image in enumerate(x):
        padded = torch.nn.functional.pad(image, [PADDING] * 4)
        top, left = int(shift[0, i]), int(shift[1, i])
        crop = padded[:, top : top + x.shape[2], left : left + x.shape[3]]
        images.append(crop.flip(2) if flip[i] else crop)
    return torch.stack(images)


@pytest.mark.parametrize("shape", [(64, 1, 6, 6), (64, 3, 5, 9)])
def test_crop_flip_equals_a_loop_over_images(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    found = augment(x, "crop_flip", torch.Generator().manual_seed(4))
    assert torch.equal(found, crop_flip_by_hand(x, torch.Generator().manual_seed(4)))
    assert torch.equal(found, crop_flip(x, torch.Generator().manual_seed(4)))
    assert not torch.equal(found, crop_flip(x, torch.Generator().manual_seed(5)))


def test_crop_flip_draws_every_shift_and_both_sides_evenly():
    """One lit pixel in the middle of a 9x9 image lands on each of the 81 places, flipped or not."""
    x = torch.zeros(8100, 1, 9, 9)
    x[:, 0, 4, 4] = 1
    place = crop_flip(x, torch.Generator().manual_seed(0)).flatten(1)
    assert torch.equal(place.sum(1), torch.ones(8100))
    counts = place.sum(0)
    assert float(((counts - 100) ** 2 / 100).sum()) < 140  # chi-square, 80 degrees of freedom, p = 4e-5

    x = torch.zeros(4000, 1, 1, 41)
    x[:, 0, 0, 0] = 1  # far left: ends on the right half exactly when flipped, if it stays inside
    flipped = crop_flip(x, torch.Generator().manual_seed(1))[:, 0, 0, 20:].any(1).float().mean()
    kept = crop_flip(x, torch.Generator().manual_seed(1))[:, 0, 0, :20].any(1).float().mean()
    assert abs(float(flipped - kept)) < 0.02
    assert float(flipped) > 0.02
