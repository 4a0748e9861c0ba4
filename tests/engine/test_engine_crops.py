"""Random resized crops against torchvision's: bounds, distribution, the case where nothing fits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torchvision.transforms import RandomResizedCrop

from recollect.datasets.ragged import RaggedImages
from recollect.engine import batches as batches_module
from recollect.engine.augment import CROP_AREA, CROP_RATIO, draw_crops
from recollect.engine.batches import ReadyBatches
from recollect.engine.images import Part, TaskImages, merge
from recollect.engine.resample import resized_bytes, resized_crops
from recollect.engine.stored import Enlarged

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=8), st.integers(0, 99))
def test_every_box_lies_in_its_image(sizes, seed):
    sizes = torch.tensor(sizes)
    boxes = draw_crops(sizes, seeded(seed)).boxes
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] >= 1).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= sizes).all()


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 400), (300, 256)])
def test_boxes_are_distributed_as_torchvisions(height, width):
    """Two-sample Kolmogorov-Smirnov on every coordinate; with wrong areas or ratios p is below 1e-20."""
    torch.manual_seed(0)
    image = torch.zeros(1, height, width)
    theirs = np.array([RandomResizedCrop.get_params(image, CROP_AREA, CROP_RATIO) for _ in range(3000)])
    ours = draw_crops(torch.tensor([[height, width]]).expand(3000, 2), seeded(1)).boxes.numpy()
    for column in range(4):
        assert ks_2samp(theirs[:, column], ours[:, column]).pvalue > 1e-3


def test_half_of_the_crops_are_flipped():
    flips = draw_crops(torch.full((4000, 2), 32), seeded()).flip
    assert abs(flips.float().mean().item() - 0.5) < 0.03


@pytest.mark.parametrize(("height", "width"), [(10, 900), (900, 10), (1, 1)])
def test_where_nothing_fits_the_central_box_is_torchvisions(height, width):
    """Such shapes leave no box of an allowed ratio with 5 % of the area, so that every draw ends there."""
    expected = RandomResizedCrop.get_params(torch.zeros(1, height, width), CROP_AREA, CROP_RATIO)
    boxes = draw_crops(torch.tensor([[height, width]] * 20), seeded()).boxes
    assert {tuple(box) for box in boxes.tolist()} == {tuple(expected)}


def ragged(sizes, side=4, seed=0):
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 256, (3, *size), dtype=np.uint8) for size in sizes]
    flat = np.concatenate([image.ravel() for image in images])
    return RaggedImages(flat, np.array(sizes, dtype=np.int32), side), images


def task_images(array, n, task=0, first=0):
    return TaskImages([Part(array, np.arange(n), torch.arange(first, first + n), task)], CPU)


SIZES = [(4, 4), (4, 9), (7, 4), (4, 5), (11, 4)]


def test_images_of_their_own_size_are_shown_by_their_centre():
    array, images = ragged(SIZES)
    assert array.shape == (5, 3, 4, 4)
    found = task_images(array, 5).gather(torch.tensor([4, 1, 1, 0]))
    tall, wide = images[4][:, 4:8, :], images[1][:, :, 2:6]  # (11 - 4) / 2 = 3.5 rounds to even, to 4
    expected = np.stack([tall, wide, wide, images[0]])
    assert torch.equal(found, torch.from_numpy(expected).float() / 255)


def test_crops_are_cut_from_the_whole_stored_image():
    array, images = ragged(SIZES)
    index = torch.tensor([4, 0, 1])
    found = task_images(array, 5).augmented(index, "resized_crop_flip", seeded(3))
    drawn = draw_crops(torch.tensor([SIZES[i] for i in index]), seeded(3))
    for x, i, box, flip in zip(found, index, drawn.boxes, drawn.flip, strict=True):
        whole = torch.from_numpy(images[i])[None].float() / 255
        expected = resized_crops(whole, box[None], (4, 4), flip=flip[None])[0]
        torch.testing.assert_close(x, expected)


def test_the_parts_of_a_union_change_nothing():
    array, _ = ragged(SIZES)
    whole = task_images(array, 5)
    parts = [
        TaskImages([Part(array, rows, torch.from_numpy(rows), 0)], CPU) for rows in np.split(np.arange(5), [2])
    ]
    index = torch.tensor([3, 0, 4, 1, 2, 0])
    for kind in ("none", "resized_crop_flip"):
        expected = whole.augmented(index, kind, seeded(5))
        torch.testing.assert_close(merge(parts).augmented(index, kind, seeded(5)), expected)


def test_enlarged_images_are_bicubic_and_cropped_from_the_small_ones():
    small = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8))
    images = task_images(Enlarged(small, 20), 3)
    index = torch.tensor([2, 0])
    expected = resized_bytes(small[index].float(), (20, 20)) / 255
    assert torch.equal(images.gather(index), expected)
    drawn = draw_crops(torch.full((2, 2), 8), seeded(1))
    expected = resized_crops(small[index].float() / 255, drawn.boxes, (20, 20), flip=drawn.flip)
    torch.testing.assert_close(images.augmented(index, "resized_crop_flip", seeded(1)), expected)


def test_a_task_that_changes_its_images_is_cropped_after_the_change():
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 1, 6, 6), dtype=np.uint8))
    order = np.random.default_rng(1).permutation(36).tolist()
    images = TaskImages([Part(x, np.arange(4), torch.arange(4), 0, {"permute": order})], CPU)
    index = torch.arange(4)
    drawn = draw_crops(torch.full((4, 2), 6), seeded(2))
    expected = resized_crops(images.gather(index), drawn.boxes, (6, 6), flip=drawn.flip)
    torch.testing.assert_close(images.augmented(index, "resized_crop_flip", seeded(2)), expected)


def test_an_epoch_follows_from_its_seed_and_goes_on_after_an_interruption(monkeypatch):
    monkeypatch.setattr(batches_module, "BLOCK_BYTES", 1)
    array, _ = ragged(SIZES * 4)
    images = task_images(array, 20)

    def loader():
        return ReadyBatches(images, 6, seeded(7), "resized_crop_flip")

    whole = [x for x, _, _ in loader()]
    assert all(torch.equal(a, b) for a, (b, _, _) in zip(whole, loader(), strict=True))
    interrupted, again = loader(), loader()
    for number, _ in enumerate(interrupted):
        if number == 1:
            break
    again.load_state_dict(interrupted.state_dict())
    rest = [x for x, _, _ in again]
    assert len(rest) == len(whole) - 2
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


def test_sizes_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="47 bytes where the sizes say 48"):
        RaggedImages(np.zeros(47, np.uint8), np.array([[4, 4]]), 4)
