"""Resized crops against Pillow and torchvision's own functions, and by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from recollect.engine.resample import all_at_once, one_by_one, resize_matrix, resized_bytes, resized_crops

BOXES = [(0, 0, 40, 30), (3, 5, 20, 25), (39, 29, 1, 1), (10, 0, 4, 30), (0, 7, 40, 3)]
MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 30), dtype=np.uint8)


@pytest.mark.parametrize("way", [one_by_one, all_at_once])
@pytest.mark.parametrize("size", [(8, 8), (24, 17), (56, 70)])
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_hand_made_boxes_give_what_torchvision_gives(image, size, kernel, way):
    x = torch.from_numpy(image).float()
    batch = x.expand(len(BOXES), -1, -1, -1)
    found = way(batch, torch.tensor(BOXES), size, kernel, torch.zeros(len(BOXES), dtype=torch.bool))
    for crop, box in zip(found, BOXES, strict=True):
        expected = tv.resized_crop(x, *box, size, MODES[kernel], antialias=True)
        torch.testing.assert_close(crop, expected, rtol=0, atol=2e-3)


def test_bytes_are_those_of_pillow(image):
    """Noise makes bicubic overshoot everywhere; exact ties of the rounding may fall on either side."""
    found = resized_bytes(torch.from_numpy(image)[None].float(), (64, 64))
    pillow = Image.fromarray(image.transpose(1, 2, 0)).resize((64, 64), Image.Resampling.BICUBIC)
    difference = (found[0] - torch.from_numpy(np.array(pillow).transpose(2, 0, 1)).float()).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 0.01


def test_two_pixels_enlarged_to_four_by_hand():
    line = torch.tensor([0.0, 8.0]).view(1, 1, 1, 2)
    found = resized_crops(line, torch.tensor([[0, 0, 1, 2]]), (1, 4))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 2.0, 6.0, 8.0]))


@pytest.mark.parametrize("way", [one_by_one, all_at_once])
def test_a_flip_mirrors_the_crop_of_that_image_alone(image, way):
    batch = torch.from_numpy(image).float().expand(2, -1, -1, -1)
    boxes = torch.tensor([BOXES[1]] * 2)
    plain, flipped = way(batch, boxes, (9, 11), "bilinear", torch.tensor([False, True]))
    torch.testing.assert_close(flipped, plain.flip(-1), rtol=0, atol=1e-4)
    assert not torch.equal(flipped, plain)


def test_what_lies_outside_of_the_box_is_never_seen(image):
    x = torch.from_numpy(image).float()
    y = torch.full_like(x, float(1 << 20))
    y[:, 3:23, 5:30] = x[:, 3:23, 5:30]
    box = torch.tensor([BOXES[1]])
    for kernel in MODES:
        for way in (one_by_one, all_at_once):
            seen = way(x[None], box, (7, 7), kernel, torch.tensor([False]))
            torch.testing.assert_close(way(y[None], box, (7, 7), kernel, torch.tensor([False])), seen)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_weights_sum_to_one_whatever_the_box(kernel):
    starts, lengths = torch.tensor([0, 3, 9]), torch.tensor([10, 1, 1])
    for n_out in (1, 4, 25):
        weights = resize_matrix(starts, lengths, 10, n_out, kernel)
        torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, n_out))


def test_a_box_of_the_wanted_size_is_copied_exactly(image):
    x = torch.from_numpy(image)[None].float()
    for kernel in MODES:
        found = resized_crops(x, torch.tensor([[2, 4, 16, 20]]), (16, 20), kernel)
        torch.testing.assert_close(found, x[:, :, 2:18, 4:24], rtol=0, atol=1e-4)
