"""A teacher's lesson is what it says of every batch, whichever samples a batch holds and wherever it begins."""

from itertools import islice

import pytest
import torch

from recollect.engine.loading import load_build
from recollect.multimodal.teaching import Lesson, NumberedBatches


@pytest.fixture
def images(paired):
    return paired.benchmark(per_class=9, missing=0.2).train_stream[0].dataset.ready_images


def loader(images, batch_size=4):
    return NumberedBatches(images, batch_size, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("block_bytes", [1, 1 << 26])
def test_numbers_are_those_of_the_batch(images, monkeypatch, block_bytes):
    """One batch per block, or all batches in one."""
    monkeypatch.setattr("recollect.engine.batches.BLOCK_BYTES", block_bytes)
    batches, seen = loader(images), []
    for x, y, _ in batches:
        assert torch.equal(x, images.gather(batches.numbers))
        assert torch.equal(y, images.labels[batches.numbers])
        seen += batches.numbers.tolist()
    assert sorted(seen) == list(range(len(images)))


@pytest.mark.parametrize("block_bytes", [1, 1 << 26])
def test_numbers_after_a_restart_within_an_epoch(images, monkeypatch, block_bytes):
    monkeypatch.setattr("recollect.engine.batches.BLOCK_BYTES", block_bytes)
    first = loader(images)
    list(islice(first, 2))
    again = loader(images)
    again.load_state_dict(first.state_dict())
    rest = [(x, again.numbers) for x, _, _ in again]
    assert len(rest) == len(first) - 2
    assert all(torch.equal(x, images.gather(numbers)) for x, numbers in rest)


def test_a_lesson_is_what_the_teacher_says(paired, images):
    torch.manual_seed(0)
    setting = paired.setting(epochs=1, width=16, mm_rank=4, mm_zero_init=False)
    teacher = load_build("mmcl")(setting=setting).model.eval()
    lesson, batches = Lesson(teacher, images), loader(images)
    for x, _, _ in batches:
        with torch.no_grad():
            asked = teacher.represent(x)
        told = lesson.of(batches.numbers)
        torch.testing.assert_close(told.joint, asked.joint)
        for name, z in asked.unimodal.items():
            torch.testing.assert_close(told.unimodal[name], z)
            assert torch.equal(told.present[name], asked.present[name])
        for gates, wanted in zip(told.gates, asked.gates, strict=True):
            torch.testing.assert_close(gates, wanted)


@pytest.mark.parametrize("memory_size", [0, 7])
def test_the_teacher_is_asked_once_per_task_and_for_the_memory(paired, tmp_path, memory_size, monkeypatch):
    """What is taught in a step is what the teacher says of its rows, those of the memory too."""
    import methods.mmcl as module

    hyper = {"memory_size": memory_size, "replay_batch_size": 3}
    runner = paired.runner(
        tmp_path, "mmcl", paired.benchmark(per_class=9), hyper=hyper, epochs=2, width=8, mm_rank=2, batch_size=6
    )
    plain, lessons, steps = module.MMCL._taught, [], []

    def counted(*arguments):
        lessons.append(Lesson(*arguments))
        return lessons[-1]

    def watched(self, teacher, x):
        told = plain(self, teacher, x)
        with torch.no_grad():
            torch.testing.assert_close(told.joint, teacher.represent(x).joint)
        steps.append(len(x))
        return told

    monkeypatch.setattr(module, "Lesson", counted)
    monkeypatch.setattr(module.MMCL, "_taught", watched)
    runner.run()
    assert len(steps) == 2 * 2 * 3  # tasks with a teacher, epochs, batches
    assert set(steps) == {9 if memory_size else 6}
    assert len(lessons) == 2
