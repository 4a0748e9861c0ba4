"""Ready batches: every sample once per epoch, reshuffled, resumed at any batch, whatever the storage."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.engine import batches as module
from recollect.engine.batches import ReadyBatches
from recollect.engine.images import Part, TaskImages, merge

CPU = torch.device("cpu")


def numbered(n, start=0, task=0, shape=(1, 2, 2)):
    """``n`` images whose first pixels spell their number, labels the number itself."""
    numbers = np.arange(start, start + n)
    array = np.zeros((n, *shape), dtype=np.uint8)
    array[:, 0, 0, 0], array[:, 0, 0, 1] = numbers // 256, numbers % 256
    return TaskImages(
        [Part(torch.from_numpy(array), np.arange(n), torch.from_numpy(numbers), task)], device=CPU
    )  # fmt: skip


def loader(images, batch_size, seed=0, augmentation="none"):
    return ReadyBatches(images, batch_size, torch.Generator().manual_seed(seed), augmentation)


def numbers_of(x):
    """The numbers spelt by the pixels."""
    pixels = (x * 255).round().long()
    return pixels[:, 0, 0, 0] * 256 + pixels[:, 0, 0, 1]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few batches, so that these small sets cross many block borders."""
    monkeypatch.setattr(module, "BLOCK_BYTES", 16 * 12)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 1), (7, 3), (12, 3), (13, 4), (40, 50), (300, 7)])
def test_an_epoch_has_every_sample_once_with_its_own_label(small_blocks, n, batch_size):
    batches = loader(numbered(n), batch_size)
    found = list(batches)
    sizes = [len(y) for _, y, _ in found]
    assert len(found) == len(batches) == -(-n // batch_size)
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
    assert sorted(torch.cat([y for _, y, _ in found]).tolist()) == list(range(n))
    for x, y, task in found:
        assert torch.equal(numbers_of(x), y)
        assert x.dtype == torch.float32
        assert task.tolist() == [0] * len(y)


def test_epochs_are_reshuffled_and_follow_from_the_generator():
    first, second = loader(numbered(50), 7), loader(numbered(50), 7)
    epochs = [[torch.cat([y for _, y, _ in batches]).tolist() for _ in range(3)] for batches in (first, second)]
    assert epochs[0] == epochs[1]
    assert len({tuple(order) for order in epochs[0]}) == 3
    assert epochs[0][0] != torch.cat([y for _, y, _ in loader(numbered(50), 7, seed=1)]).tolist()


def test_the_order_is_a_uniform_permutation():
    """Each of the 6 orders of 3 samples comes up a sixth of the time: chi-square, 5 degrees of freedom."""
    batches = loader(numbered(3), 3)
    counts = {}
    for _ in range(1200):
        order = tuple(torch.cat([y for _, y, _ in batches]).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((c - 200) ** 2 / 200 for c in counts.values()) < 25.7  # p = 1e-4


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 9),
    block=st.integers(1, 500),
    augmentation=st.sampled_from(["none", "crop_flip"]),
    data=st.data(),
)
@settings(deadline=None, max_examples=80)
def test_a_resumed_epoch_gives_the_same_remaining_batches(n, batch_size, block, augmentation, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", block)
        images = numbered(n)
        whole = loader(images, batch_size, 3, augmentation)
        stop = data.draw(st.integers(1, len(whole)))
        iterator = iter(whole)
        for _ in range(stop):
            next(iterator)
        state, generator_state = whole.state_dict(), whole.generator.get_state()
        rest, following = list(iterator), list(whole)

        resumed = loader(images, batch_size, 12345, augmentation)
        resumed.load_state_dict(state)
        resumed.generator.set_state(generator_state)
        again, again_following = list(resumed), list(resumed)
    assert len(rest) == len(whole) - stop
    for expected, found in ((rest, again), (following, again_following)):
        assert len(expected) == len(found)
        assert all(
            torch.equal(a, b) for x, y in zip(expected, found, strict=True) for a, b in zip(x, y, strict=True)
        )


def test_blocks_do_not_change_the_batches(monkeypatch):
    whole = list(loader(numbered(64), 5))
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    for expected, found in zip(whole, loader(numbered(64), 5), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_augmentation_is_drawn_anew_in_every_block_and_epoch(monkeypatch):
    """Forty copies of one image: no two blocks or epochs move them in the same way."""
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    array = torch.arange(81, dtype=torch.uint8).view(1, 1, 9, 9).repeat(40, 1, 1, 1)
    images = TaskImages([Part(array, np.arange(40), torch.zeros(40, dtype=torch.long), 0)], CPU)
    batches = loader(images, 20, augmentation="crop_flip")
    blocks = [x for _ in range(2) for x, _, _ in batches]
    assert len(blocks) == 4
    assert all(not torch.equal(blocks[i], blocks[j]) for i in range(4) for j in range(i))


def test_merged_tasks_keep_images_labels_and_task_labels_together(small_blocks):
    union = merge([numbered(5), numbered(9, start=5, task=1), numbered(3, start=14, task=4)])
    owner = torch.tensor([0] * 5 + [1] * 9 + [4] * 3)
    assert len(union) == 17
    found = list(loader(union, 4))
    assert sorted(torch.cat([y for _, y, _ in found]).tolist()) == list(range(17))
    for x, y, task in found:
        assert torch.equal(numbers_of(x), y)
        assert torch.equal(task, owner[y])


@given(st.lists(st.integers(0, 15), min_size=1, max_size=30), st.booleans())
@settings(deadline=None, max_examples=50)
def test_gather_answers_in_the_order_asked_with_repeats(index, several):
    images = merge([numbered(6), numbered(10, start=6)]) if several else numbered(16)
    assert numbers_of(images.gather(torch.tensor(index))).tolist() == index


@pytest.mark.parametrize("transform", [{}, {"permute": [3, 1, 0, 2]}, {"rotate_degrees": 20.0}])
def test_a_memory_map_gives_what_memory_gives(tmp_path, transform):
    rng = np.random.default_rng(0)
    array, labels = rng.integers(0, 256, (40, 1, 2, 2), dtype=np.uint8), torch.arange(40) % 5
    np.save(tmp_path / "x.npy", array)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = np.sort(rng.choice(40, 23, replace=False))
    kinds = [
        TaskImages([Part(source, rows, labels[rows], 0, transform)], CPU)
        for source in (torch.from_numpy(array), mapped)
    ]
    for expected, found in zip(loader(kinds[0], 4), loader(kinds[1], 4), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert torch.equal(kinds[1].gather(torch.tensor([7, 0, 7])), kinds[0].gather(torch.tensor([7, 0, 7])))


def test_pixels_are_exact_multiples_of_one_255th():
    array = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    images = TaskImages([Part(array, np.array([0]), torch.tensor([0]), 0)], CPU)
    assert torch.equal(images.gather(torch.tensor([0])), array.float() / 255)
    image, label = images[0]
    assert image.shape == (1, 16, 16)
    assert label == 0


def test_large_images_are_answered_in_small_batches(monkeypatch):
    from types import SimpleNamespace

    from recollect.engine import predict as predicting
    from recollect.engine.outputs import OutputMask

    seen = []

    class Model(torch.nn.Module):
        def forward(self, x):
            seen.append(len(x))
            return torch.nn.functional.one_hot((x.flatten(1)[:, 0] * 255).long() % 3, 3).float()

    images, outputs = numbered(10), OutputMask(3, "all")
    strategy = SimpleNamespace(model=Model())
    whole = predicting.predict(strategy, images, outputs, 0)
    row_bytes = 4 * images.gather(torch.tensor([0])).numel()
    monkeypatch.setattr(predicting, "BATCH_BYTES", 4 * row_bytes)
    assert predicting.predict(strategy, images, outputs, 0).tolist() == whole.tolist()
    assert seen == [10, 4, 4, 2]
