"""Reservoir sampling: uniform inclusion, exact storage, distinct draws, a state that continues."""

import copy

import numpy as np
import pytest
import scipy.stats
import torch

from recollect.engine.reservoir import Reservoir

STREAMS, LENGTH, CAPACITY = 3000, 20, 6


def filled(seed, batch, length=LENGTH, capacity=CAPACITY):
    """A reservoir after a stream of labels 0, 1, 2, ... that came in batches."""
    buffer = Reservoir(capacity=capacity, input_shape=(1, 1, 1), seed=seed)
    for y in torch.arange(length).split(batch):
        buffer.add(torch.zeros(len(y), 1, 1, 1), y)
    return buffer


@pytest.fixture(scope="module", params=[3, 20])
def contents(request):
    """Sorted contents of many streams, shape (STREAMS, CAPACITY)."""
    return np.sort([filled(seed, request.param).y.numpy() for seed in range(STREAMS)], axis=1)


def test_no_sample_is_kept_twice(contents):
    assert (np.diff(contents, axis=1) > 0).all()


def test_every_sample_is_kept_equally_often(contents):
    """Inclusion counts against STREAMS * CAPACITY / LENGTH each, by chi-square.

    Each stream keeps exactly CAPACITY of LENGTH samples, so the counts vary less than independent ones: divided
    by (LENGTH - CAPACITY) / (LENGTH - 1) the statistic is chi-square with LENGTH - 1 degrees of freedom.
    """
    counts = np.bincount(contents.ravel(), minlength=LENGTH)
    expected = STREAMS * CAPACITY / LENGTH
    statistic = ((counts - expected) ** 2 / expected).sum() / ((LENGTH - CAPACITY) / (LENGTH - 1))
    p = scipy.stats.chi2.sf(statistic, LENGTH - 1)
    assert 1e-4 < p < 1 - 1e-4, counts


def test_pairs_are_kept_equally_often(contents):
    """Uniform over subsets, not only over samples: the count of every pair, five standard deviations wide."""
    expected = STREAMS * CAPACITY * (CAPACITY - 1) / (LENGTH * (LENGTH - 1))
    together = np.zeros((LENGTH, LENGTH))
    for row in contents:
        together[np.ix_(row, row)] += 1
    pairs = together[np.triu_indices(LENGTH, 1)]
    assert pairs.sum() == STREAMS * CAPACITY * (CAPACITY - 1) / 2
    assert (np.abs(pairs - expected) < 5 * np.sqrt(expected)).all()


def test_the_batch_size_changes_nothing_at_all():
    """One uniform number per sample: the same stream in other batches fills the same slots."""
    reference = filled(7, 1, length=200)
    for batch in (2, 7, 64, 200):
        assert torch.equal(filled(7, batch, length=200).y, reference.y)


def test_equals_algorithm_r_written_as_a_loop():
    rng = np.random.default_rng([11, 0x7E5E])
    slots: list[int] = []
    for count in range(300):
        place = int(rng.random() * (count + 1))
        if count < 9:
            slots.append(count)
        elif place < 9:
            slots[place] = count
    assert filled(11, 13, length=300, capacity=9).y.tolist() == slots


def test_of_several_samples_for_one_slot_the_last_one_stays(monkeypatch):
    buffer = Reservoir(capacity=3, input_shape=(1, 1, 1), n_logits=1)
    monkeypatch.setattr(buffer, "slots", lambda batch: np.array([2, 0, -1, 2, 0, 2]))
    y = torch.arange(6)
    buffer.add(y.view(-1, 1, 1, 1) / 255, y, task=10 * y, logits=y.view(-1, 1).float())
    assert buffer.y.tolist() == [4, 0, 5]
    assert buffer.x.flatten().tolist() == [4, 0, 5]
    assert buffer.task.tolist() == [40, 0, 50]
    assert buffer.logits.flatten().tolist() == [4.0, 0.0, 5.0]


def test_images_come_back_exactly():
    """All 256 grey values survive being stored as uint8."""
    x = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).float().div(255)
    buffer = Reservoir(capacity=2, input_shape=(1, 16, 16))
    buffer.add(x, torch.tensor([0]))
    assert buffer.x.dtype == torch.uint8
    assert torch.equal(buffer.draw(1)[0], x)


def test_other_values_are_stored_to_the_nearest_grey_value():
    """Rotated images are no multiples of 1/255: they are rounded, not cut."""
    x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    buffer = Reservoir(capacity=1, input_shape=(1, 16, 16))
    buffer.add(x, torch.tensor([0]))
    assert float((buffer.draw(1)[0] - x).abs().max()) <= 0.5 / 255 + 1e-6


def test_draws_are_distinct_and_bounded_by_what_is_there():
    buffer = filled(0, 4, length=4)
    assert len(buffer) == 4
    assert sorted(buffer.draw(10)[1].tolist()) == [0, 1, 2, 3]
    buffer = filled(0, 4)
    for _ in range(50):
        drawn = buffer.draw(5)[1].tolist()
        assert len(set(drawn)) == 5
        assert set(drawn) <= set(buffer.y.tolist())


def test_draws_are_uniform_and_differ():
    buffer = filled(0, 4, length=6)
    counts = np.zeros(6)
    for _ in range(3000):
        counts[buffer.draw(2)[1].numpy()] += 1
    assert scipy.stats.chisquare(counts).pvalue > 1e-4


def test_a_draw_keeps_image_label_task_and_logits_together():
    y = torch.arange(40)
    buffer = Reservoir(capacity=15, input_shape=(1, 1, 1), n_logits=2)
    for part in y.split(7):
        logits = torch.stack([part.float(), -part.float()], 1)
        buffer.add(part.view(-1, 1, 1, 1) / 255, part, task=part // 4, logits=logits)
    x, label, task, logits = buffer.draw(9)
    assert torch.equal((x.flatten() * 255).round().long(), label)
    assert torch.equal(task, label // 4)
    assert torch.equal(logits, torch.stack([label.float(), -label.float()], 1))


def test_the_state_continues_identically():
    first = filled(5, 4, length=30)
    second = Reservoir(capacity=CAPACITY, input_shape=(1, 1, 1), seed=999)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for buffer in (first, second):
        for y in torch.arange(30, 60).split(5):
            buffer.add(torch.zeros(len(y), 1, 1, 1), y)
    assert torch.equal(first.y, second.y)
    assert torch.equal(first.draw(4)[1], second.draw(4)[1])
    assert len(first) == len(second) == CAPACITY


def test_memory_does_not_grow_with_the_stream():
    sizes = {filled(0, 5, length=length).x.numel() for length in (5, 50, 500)}
    assert sizes == {CAPACITY}


def test_seeds_differ():
    assert not torch.equal(filled(0, 5, length=500).y, filled(1, 5, length=500).y)
