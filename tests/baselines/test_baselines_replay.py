"""ER, DER and DER++: losses on hand-made buffers, when logits are stored, independent draws."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from recollect.engine.reservoir import Reservoir


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def batch_of(strategy, experience, n=6):
    """Give the strategy a mini-batch of an experience, as the loop would."""
    images = experience.dataset.ready_images
    index = torch.arange(n)
    strategy.outputs.observe(experience.classes_in_this_experience, experience.task_number)
    strategy.mbatch = [images.gather(index), images.labels[index], images.task_labels[index]]
    strategy.is_training = True
    strategy.mb_output = strategy.forward()


def hand_made(strategy, n=8):
    """Fill the buffer with known samples: classes 0 and 1 alternating, logits 0, 1, 2, ..."""
    x = (torch.arange(n * 36).view(n, 1, 6, 6) % 256).float() / 255
    y = torch.arange(n) % 2
    logits = torch.arange(n * 6.0).view(n, 6) / 10
    strategy.outputs.observe([0, 1], 0)
    strategy.buffer.add(
        x, y, torch.zeros(n, dtype=torch.long), logits if strategy.buffer.logits.shape[1] else None
    )
    return x, y, logits


def masked(strategy, logits):
    seen = torch.full((6,), -torch.inf)
    seen[strategy.outputs.seen] = 0
    return logits + seen


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.5, 0.0), (0.0, 1.0)])
def test_derpp_loss_on_a_hand_made_buffer(tiny, benchmark, alpha, beta):
    """A draw of the whole buffer: the mean squared error over all elements and the masked cross-entropy."""
    strategy = tiny.strategy("derpp", benchmark, {"alpha": alpha, "beta": beta, "replay_batch_size": 8})
    x, y, logits = hand_made(strategy)
    batch_of(strategy, benchmark.train_stream[1])
    new = strategy.model(strategy.mb_x)
    found = strategy.training_loss()
    ce = cross_entropy(masked(strategy, new), strategy.mb_y)
    mse = ((strategy.model(x) - logits) ** 2).sum() / logits.numel()
    old_ce = cross_entropy(masked(strategy, strategy.model(x)), y)
    value = ce + alpha * mse + beta * old_ce
    torch.testing.assert_close(found, value)
    found_gradient = torch.autograd.grad(found, list(strategy.model.parameters()))
    for a, b in zip(found_gradient, torch.autograd.grad(value, list(strategy.model.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_batch_statistics_never_mix(tiny, benchmark):
    """With batch normalisation each of the three batches is normalised by itself."""
    strategy = tiny.strategy("derpp", benchmark, {"alpha": 0.3, "beta": 0.7, "replay_batch_size": 8})
    strategy.model.features.insert(1, torch.nn.BatchNorm1d(36, momentum=None))
    x, y, logits = hand_made(strategy)
    batch_of(strategy, benchmark.train_stream[1])
    assert strategy.model.features[1].num_batches_tracked == 3
    ce = cross_entropy(masked(strategy, strategy.model(strategy.mb_x)), strategy.mb_y)
    old = strategy.model(x)
    expected = ce + 0.3 * ((old - logits) ** 2).mean() + 0.7 * cross_entropy(masked(strategy, old), y)
    torch.testing.assert_close(strategy.training_loss(), expected)


class Recorded(Reservoir):
    """A buffer that remembers what it handed out."""

    def draw(self, batch):
        drawn = super().draw(batch)
        self.drawn.append(drawn)
        return drawn


@pytest.mark.parametrize(("beta", "draws"), [(0.5, 2), (0.0, 1)])
def test_two_independent_draws_and_one_for_der(tiny, benchmark, beta, draws):
    strategy = tiny.strategy("derpp", benchmark, {"alpha": 0.3, "beta": beta, "replay_batch_size": 3})
    hand_made(strategy)
    strategy.buffer.__class__ = Recorded
    different = 0
    for _ in range(20):
        strategy.buffer.drawn = []
        batch_of(strategy, benchmark.train_stream[0])
        loss = strategy.training_loss()
        assert len(strategy.buffer.drawn) == draws
        first = strategy.buffer.drawn[0]
        expected = cross_entropy(masked(strategy, strategy.model(strategy.mb_x)), strategy.mb_y)
        expected = expected + 0.3 * ((strategy.model(first[0]) - first[3]) ** 2).mean()
        if beta:
            second = strategy.buffer.drawn[1]
            expected = expected + beta * cross_entropy(masked(strategy, strategy.model(second[0])), second[1])
            different += not torch.equal(first[0], second[0])
        torch.testing.assert_close(loss, expected)
    assert different > 10 or not beta


def test_stored_logits_are_those_from_while_training(tiny, benchmark):
    """Of the very forward pass that trained on the sample, before the update; not those of the finished model."""
    strategy = tiny.strategy("derpp", benchmark, {"buffer_size": 1000}, epochs=1, lr=0.5)
    given = []
    update = strategy.optimizer_step

    def watch():
        given.append((strategy.mb_x.clone(), strategy.mb_y.clone(), strategy.mb_output.detach().clone()))
        update()

    strategy.optimizer_step = watch
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    x, y, logits = (torch.cat(parts) for parts in zip(*given, strict=True))
    buffer = strategy.buffer
    assert len(buffer) == len(x) == 18
    assert torch.equal(buffer.x[:18].float() / 255, x)
    assert torch.equal(buffer.y[:18], y)
    assert torch.equal(buffer.logits[:18], logits)
    assert not torch.allclose(strategy.model(x), logits, atol=1e-2)


def test_the_stored_image_is_the_augmented_one(tiny, benchmark):
    strategy = tiny.strategy("derpp", benchmark, {"buffer_size": 1000}, epochs=1, augmentation="crop_flip")
    given = []
    update = strategy.optimizer_step
    strategy.optimizer_step = lambda: (given.append(strategy.mb_x.clone()), update())
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    assert torch.equal(strategy.buffer.x[:18].float() / 255, torch.cat(given))


def test_the_current_batch_is_not_replayed_in_its_own_step(tiny, benchmark):
    """An empty buffer adds nothing: the first loss is plain cross-entropy; afterwards the batch is in it."""
    for method in ("derpp", "er"):
        strategy = tiny.strategy(method, benchmark)
        batch_of(strategy, benchmark.train_stream[0])
        expected = cross_entropy(masked(strategy, strategy.model(strategy.mb_x)), strategy.mb_y)
        torch.testing.assert_close(strategy.training_loss(), expected)
        assert len(strategy.buffer) == 6


def test_er_is_the_mean_over_the_joined_batch(tiny, benchmark):
    strategy = tiny.strategy("er", benchmark, {"replay_batch_size": 8})
    x, y, _ = hand_made(strategy)
    batch_of(strategy, benchmark.train_stream[1], n=5)
    found = strategy.training_loss()
    total = cross_entropy(masked(strategy, strategy.model(strategy.mb_x)), strategy.mb_y, reduction="sum")
    total = total + cross_entropy(masked(strategy, strategy.model(x)), y, reduction="sum")
    torch.testing.assert_close(found, total / 13)
    assert strategy.mb_output.shape == (13, 6)


@pytest.mark.parametrize("method", ["er", "derpp"])
def test_replayed_samples_answer_for_their_own_task(tiny, method):
    """Task-incremental: a stored sample of task 0 is judged among the classes of task 0."""
    benchmark = tiny.benchmark(protocol="task-incremental")
    hyper = {"replay_batch_size": 8} | ({"alpha": 0.0, "beta": 1.0} if method == "derpp" else {})
    strategy = tiny.strategy(method, benchmark, hyper)
    x, y, _ = hand_made(strategy)
    batch_of(strategy, benchmark.train_stream[1], n=8)
    found = strategy.training_loss()
    new = cross_entropy(strategy.model(strategy.mb_x)[:, 2:4], strategy.mb_y - 2)
    old = cross_entropy(strategy.model(x)[:, :2], y)
    torch.testing.assert_close(found, new + old if method == "derpp" else (new + old) / 2)


@pytest.mark.parametrize("method", ["er", "derpp"])
def test_the_buffer_is_a_uniform_sample_of_all_tasks(tiny, benchmark, method):
    """Kept labels over many seeds: every class a sixth, within five standard deviations."""
    counts = torch.zeros(6)
    for seed in range(60):
        strategy = tiny.strategy(method, benchmark, {"buffer_size": 9}, seed=seed, epochs=1)
        strategy.train(benchmark.train_stream, eval_streams=[])
        counts += torch.bincount(strategy.buffer.y, minlength=6)
    assert counts.sum() == 540
    assert (counts - 90).abs().max() < 5 * 75**0.5
