"""CoPE: the loss from the paper's sums, prototypes by hand, a memory balanced over the classes."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from baselines.cope import ppp_loss


def probability(f, stand_in, others, temperature):
    """P(c | f, p~) = exp(f.p~/T) / (exp(f.p~/T) + sum over other classes' prototypes)."""
    own = torch.exp(f @ stand_in / temperature)
    return own / (own + sum((torch.exp(f @ p / temperature) for p in others), torch.zeros((), dtype=f.dtype)))


def slow_ppp(features, y, prototypes, known, temperature):
    """De Lange and Tuytelaars 2021, section 4.2, as double sums over the batch."""
    fixed = features.detach()  # pseudo-prototypes are constants
    classes = [k for k in range(len(known)) if known[k]]
    total = torch.zeros((), dtype=features.dtype)
    for i in range(len(y)):
        c = int(y[i])
        others = [prototypes[k] for k in classes if k != c]
        attractors = [prototypes[c]] + [fixed[j] for j in range(len(y)) if j != i and int(y[j]) == c]
        mean = sum(probability(features[i], a, others, temperature) for a in attractors) / len(attractors)
        total = total + torch.log(mean)
        for j in range(len(y)):
            if int(y[j]) != c:  # sample j of another class is repelled from c, by its prototype and by sample i
                repellors = [prototypes[c], fixed[i]]
                mean = sum(probability(features[j], r, others, temperature) for r in repellors) / 2
                total = total + torch.log(1 - mean)
    return -total / len(y)


def case(labels, n_classes=5, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.tensor(labels)
    raw = torch.randn(len(y), d, generator=generator, dtype=torch.float64, requires_grad=True)
    prototypes = normalize(torch.randn(n_classes, d, generator=generator, dtype=torch.float64))
    known = torch.zeros(n_classes, dtype=torch.bool)
    known[sorted(set(labels))] = True
    return raw, y, prototypes, known


@pytest.mark.parametrize("labels", [[0, 1], [0, 0, 1, 1, 2], [3, 1, 3, 3, 0, 1, 0, 3], [2, 2, 2], [4]])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("absent_known", [False, True])
def test_the_loss_and_its_gradient_are_the_papers_double_sums(labels, temperature, absent_known):
    raw, y, prototypes, known = case(labels)
    if absent_known:  # a class of an earlier batch repels too
        known[[0, 2]] = True
    value = ppp_loss(normalize(raw), y, prototypes, known, temperature)
    gradient = torch.autograd.grad(value, raw)[0]
    expected = slow_ppp(normalize(raw), y, prototypes, known, temperature)
    assert float(value) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)
    if expected.requires_grad:
        torch.testing.assert_close(gradient, torch.autograd.grad(expected, raw)[0], rtol=1e-7, atol=1e-10)


def test_a_hand_worked_case():
    """Two classes on perpendicular prototypes, each sample on its own: all sums have one term."""
    f = torch.eye(2, dtype=torch.float64)
    value = ppp_loss(f, torch.tensor([0, 1]), f, torch.tensor([True, True]), 1.0)
    own = math.e / (math.e + 1)  # exp(1) against exp(0)
    wrong = 1 / (1 + math.e)  # exp(0) against exp(1), for the prototype and for the other sample alike
    assert float(value) == pytest.approx(-(2 * math.log(own) + 2 * math.log(1 - wrong)) / 2)


def test_at_the_papers_temperature_the_loss_stays_finite():
    """T = 0.05 and features on wrong prototypes: probabilities next to 1 are clamped, not infinite."""
    f = torch.eye(2)
    value = ppp_loss(f, torch.tensor([1, 0]), f, torch.tensor([True, True]), 0.05)
    assert torch.isfinite(value)
    assert float(value) > 10


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def cope(tiny, benchmark, **hyper):
    train = hyper.pop("train", {})
    return tiny.strategy(
        "cope", benchmark, {"features": 4, "per_class": 3, "prototype_momentum": 0.8, **hyper}, **train
    )


def give(strategy, x, y):
    strategy.mbatch = [x, y, torch.zeros_like(y)]
    strategy.is_training = True
    strategy.outputs.observe(y.tolist())
    strategy.mb_output = strategy.forward()
    return strategy.mb_output.detach(), strategy.targets


def test_prototypes_start_at_the_class_mean_and_move_with_momentum(tiny, benchmark):
    strategy = cope(tiny, benchmark)
    x, y = torch.rand(5, 1, 6, 6), torch.tensor([0, 1, 0, 0, 1])
    features, targets = give(strategy, x, y)
    assert torch.equal(targets, y), "nothing to replay yet"
    means = [normalize(features[y == c].mean(0), dim=0) for c in (0, 1)]
    strategy.training_loss()
    for c in (0, 1):  # started at the mean, then moved towards the same mean
        torch.testing.assert_close(strategy.prototypes[c], means[c])
    assert strategy.known.tolist() == [True, True, False, False, False, False]
    assert torch.equal(strategy.prototypes[2:], torch.zeros(4, 4))

    old = strategy.prototypes.clone()
    features, targets = give(strategy, torch.rand(3, 1, 6, 6), torch.tensor([1, 2, 2]))
    assert len(targets) == 6, "as many replayed as new"
    assert set(targets[3:].tolist()) <= {0, 1}
    strategy.training_loss()
    for c in (0, 1, 2):
        if not (targets == c).any():
            assert torch.equal(strategy.prototypes[c], old[c])
            continue
        mean = normalize(features[targets == c].sum(0), dim=0)
        start = mean if c == 2 else old[c]
        torch.testing.assert_close(strategy.prototypes[c], normalize(0.8 * start + 0.2 * mean, dim=0))


def test_the_loss_uses_the_prototypes_from_before_the_batch(tiny, benchmark):
    strategy = cope(tiny, benchmark)
    give(strategy, torch.rand(4, 1, 6, 6), torch.tensor([0, 1, 0, 1]))
    strategy.training_loss()
    before = strategy.prototypes.clone()
    give(strategy, torch.rand(4, 1, 6, 6), torch.tensor([1, 1, 0, 0]))
    expected = ppp_loss(strategy.mb_output, strategy.targets, before, strategy.known, 0.1)
    torch.testing.assert_close(strategy.training_loss(), expected)
    assert not torch.equal(strategy.prototypes, before)


def test_prototypes_stay_on_the_unit_sphere(tiny, benchmark):
    strategy = cope(tiny, benchmark, steps_per_batch=2)
    strategy.train(benchmark.train_stream, eval_streams=[])
    assert strategy.known.all()
    torch.testing.assert_close(strategy.prototypes.norm(dim=1), torch.ones(6))


def test_the_memory_has_the_same_room_for_every_class(tiny):
    benchmark = tiny.benchmark(per_class=12)
    strategy = cope(tiny, benchmark, per_class=3)
    strategy.train(benchmark.train_stream, eval_streams=[])
    for c, reservoir in enumerate(strategy.memory):
        assert len(reservoir) == 3
        assert reservoir.y.tolist() == [c] * 3
        images = benchmark.train_stream[c // 2].dataset.ready_images
        own = images.gather(torch.arange(len(images)))[images.labels == c].mul(255).round().to(torch.uint8)
        assert all((own == kept).flatten(1).all(1).any() for kept in reservoir.x)


def test_replay_is_as_even_over_the_classes_as_the_batch_allows(tiny, benchmark):
    strategy = cope(tiny, benchmark, per_class=9)
    strategy.train(benchmark.train_stream, eval_streams=[])
    extra = torch.zeros(6)
    for _ in range(60):
        counts = torch.bincount(strategy.replay(10)[1], minlength=6)
        assert counts.sum() == 10
        assert counts.min() >= 1
        assert counts.max() <= 2
        extra += counts - 1
    assert (extra > 20).all(), "who gets the odd ones changes"


def test_the_nearest_prototype_answers(tiny, benchmark):
    strategy = cope(tiny, benchmark, train={"lr": 0.1, "epochs": 10})
    strategy.train(benchmark.train_stream, eval_streams=[])
    images = benchmark.test_stream[2].dataset.ready_images
    x = images.gather(torch.arange(len(images)))
    distances = torch.cdist(normalize(strategy.model(x)), strategy.prototypes)
    assert torch.equal(strategy.scores(x).argmax(1), distances.argmin(1))


def test_extra_steps_train_more_on_the_same_batch(tiny, benchmark):
    """Two steps per batch are two optimizer steps, seen as a larger move from the same start."""
    moved = []
    for steps in (1, 3):
        strategy = cope(tiny, benchmark, steps_per_batch=steps, train={"epochs": 1, "batch_size": 100})
        start = strategy.model.head.weight.detach().clone()
        count = 0
        original = strategy.optimizer.step

        def counting(*arguments, original=original, **options):
            nonlocal count
            count += 1
            return original(*arguments, **options)

        strategy.optimizer.step = counting
        strategy.train(benchmark.train_stream[0], eval_streams=[])
        assert count == steps
        moved.append(float((strategy.model.head.weight - start).detach().norm()))
    assert moved[1] > 1.5 * moved[0]
