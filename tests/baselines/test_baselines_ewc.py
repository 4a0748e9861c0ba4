"""EWC against closed forms: penalty, gradient, accumulation over tasks, cost that stays flat."""

import pytest
import torch
from torch import nn

from baselines.ewc import EWC, build, fisher_diagonal
from recollect.engine.outputs import OutputMask

SHAPES = [(3, 4), (3,), (2, 3), (2,)]


def tensors(seed, zero_share=0.0):
    """One tensor per parameter, float64; some entries zero."""
    generator = torch.Generator().manual_seed(seed)
    values = [torch.rand(s, generator=generator, dtype=torch.float64) for s in SHAPES]
    return [torch.where(torch.rand(v.shape, generator=generator) < zero_share, 0.0, v) for v in values]


def plugin(**options):
    return EWC(**{"lam": 3.0, "mode": "separate", "gamma": 1.0, "estimator": "exact", "samples": 0, **options})


class Model(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = nn.ParameterList([nn.Parameter(v.clone()) for v in values])


def gradient_of(ewc, at):
    """What ``before_update`` adds to the gradients."""

    class Strategy:
        model = Model(at)

    for p in Strategy.model.parameters():
        p.grad = torch.full_like(p, 0.5)
    ewc.before_update(Strategy)
    return [p.grad - 0.5 for p in Strategy.model.parameters()]


def sum_of_penalties(lam, tasks, at):
    """lam / 2 sum_i sum_k F_k^i (theta_k - theta*_k^i)^2, a loop over tasks and parameters, with its gradient."""
    theta = [t.clone().requires_grad_() for t in at]
    value = sum(
        lam / 2 * (f * (t - a) ** 2).sum()
        for diagonal, anchor in tasks
        for f, t, a in zip(diagonal, theta, anchor, strict=True)
    )
    return value.detach(), torch.autograd.grad(value, theta)


@pytest.mark.parametrize("n_tasks", [1, 2, 3, 6])
@pytest.mark.parametrize("zero_share", [0.0, 0.6, 1.0])
def test_the_accumulated_quadratic_is_the_sum_of_the_tasks_quadratics(n_tasks, zero_share):
    """In gradient everywhere, in value up to a constant; entries whose Fisher is zero in some or all tasks too."""
    ewc = plugin()
    tasks = [(tensors(i, zero_share), tensors(100 + i)) for i in range(n_tasks)]
    for diagonal, anchor in tasks:
        ewc.consolidate([f.clone() for f in diagonal], [a.clone() for a in anchor])
    offsets = []
    for seed in (7, 8, 9):
        at = tensors(seed)
        value, gradient = sum_of_penalties(3.0, tasks, at)
        for a, b in zip(gradient_of(ewc, at), gradient, strict=True):
            torch.testing.assert_close(a, b)
        offsets.append(float(value - ewc.penalty(at)))
    assert offsets == pytest.approx([offsets[0]] * 3, abs=1e-9)
    assert offsets[0] >= -1e-9
    if n_tasks == 1:
        assert offsets[0] == pytest.approx(0, abs=1e-12)


def test_the_gradient_is_that_of_the_penalty():
    ewc = plugin()
    ewc.consolidate(tensors(0), tensors(1))
    at = [t.requires_grad_() for t in tensors(2)]
    value = 3.0 / 2 * sum((f * (t - a) ** 2).sum() for f, t, a in zip(ewc.precision, at, ewc.anchor, strict=True))
    assert float(ewc.penalty([t.detach() for t in at])) == pytest.approx(float(value))
    for a, b in zip(gradient_of(ewc, [t.detach() for t in at]), torch.autograd.grad(value, at), strict=True):
        torch.testing.assert_close(a, b)


def test_nothing_is_penalised_before_the_first_consolidation():
    assert float(plugin().penalty([])) == 0
    assert all(torch.equal(g, torch.zeros_like(g)) for g in gradient_of(plugin(), tensors(0)))


@pytest.mark.parametrize("gamma", [1.0, 0.7, 0.0])
def test_online_keeps_a_running_fisher_and_the_last_anchor(gamma):
    ewc = plugin(mode="online", gamma=gamma)
    tasks = [(tensors(i), tensors(100 + i)) for i in range(4)]
    for diagonal, anchor in tasks:
        ewc.consolidate(diagonal, anchor)
    for k in range(len(SHAPES)):
        expected = sum(gamma ** (3 - i) * tasks[i][0][k] for i in range(4))
        torch.testing.assert_close(ewc.precision[k], expected)
        assert torch.equal(ewc.anchor[k], tasks[3][1][k])


@pytest.mark.parametrize("mode", ["separate", "online"])
def test_memory_and_cost_are_flat_in_the_number_of_tasks(tiny, mode):
    """Two numbers per parameter after 2 tasks and after 6, and the same tensor operations per step."""
    benchmark = tiny.benchmark(n_classes=12, n_tasks=6)
    strategy = tiny.strategy("ewc", benchmark, {"lam": 1.0, "mode": mode}, epochs=1)
    ewc = strategy.plugins[0]
    parameters = sum(p.numel() for p in strategy.model.parameters())
    operations = []
    for task, experience in enumerate(benchmark.train_stream):
        strategy.train(experience, eval_streams=[])
        if task in (1, 5):
            assert sum(t.numel() for t in ewc.precision + ewc.anchor) == 2 * parameters
            for p in strategy.model.parameters():
                p.grad = torch.zeros_like(p)
            with torch.profiler.profile() as profile:
                ewc.before_update(strategy)
            operations.append(
                sum(event.count for event in profile.key_averages() if event.key.startswith("aten::"))
            )
    assert operations[0] == operations[1] > 0


class Penalised:
    """The update written by hand: loss gradient plus lam F (theta - anchor)."""

    @staticmethod
    def step(model, x, y, mask, ewc, lr):
        loss = nn.functional.cross_entropy(model(x) + mask, y)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return [
            p.detach() - lr * (g + ewc.lam * f * (p.detach() - a))
            for p, g, f, a in zip(model.parameters(), gradients, ewc.precision, ewc.anchor, strict=True)
        ]


def test_a_training_step_uses_the_penalised_gradient(tiny):
    benchmark = tiny.benchmark()
    strategy = tiny.strategy("ewc", benchmark, {"lam": 20.0}, lr=0.1, batch_size=100, epochs=1)
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    ewc = strategy.plugins[0]
    with torch.no_grad():
        for (
            p
        ) in strategy.model.parameters():  # away from the anchor, so that the penalty pulls from the first step
            p += 0.1
    images = benchmark.train_stream[1].dataset.ready_images
    everything = torch.arange(len(images))
    mask = torch.tensor([0.0] * 4 + [-torch.inf] * 2)
    expected = Penalised.step(strategy.model, images.gather(everything), images.labels, mask, ewc, 0.1)
    unpenalised = plugin(lam=0.0)
    unpenalised.precision, unpenalised.anchor = ewc.precision, ewc.anchor
    without = Penalised.step(strategy.model, images.gather(everything), images.labels, mask, unpenalised, 0.1)
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    for a, b, c in zip(strategy.model.parameters(), expected, without, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(b, c, rtol=1e-3)


@pytest.mark.parametrize("estimator", ["exact", "empirical", "batched"])
@pytest.mark.parametrize("model", ["linear", "cnn"])
def test_the_diagonal_is_a_mean_over_the_tasks_images_under_its_mask(tiny, estimator, model, monkeypatch):
    """In several chunks, with the classes seen so far, whatever the way; against one autograd pass per sample."""
    monkeypatch.setattr("recollect.engine.fisher.LINEAR_CHUNK", 5)
    monkeypatch.setattr("recollect.engine.fisher.GENERAL_CHUNK", 4)
    benchmark = tiny.benchmark()
    kind = {"model": "cnn", "width": 2} if model == "cnn" else {"depth": 0}
    strategy = tiny.strategy("naive", benchmark, batch_size=6, **kind)
    strategy.outputs.observe([0, 1], 0)
    strategy.outputs.observe([2, 3], 1)
    images = benchmark.train_stream[1].dataset.ready_images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    found = fisher_diagonal(strategy, images, estimator, 0)

    def gradients(index, labels):
        logits = strategy.model(images.gather(index))[:, :4]
        return torch.autograd.grad(nn.functional.cross_entropy(logits, labels), list(strategy.model.parameters()))

    expected = [torch.zeros_like(p) for p in strategy.model.parameters()]
    if estimator == "batched":  # the mean over batches of the squared batch-mean gradient, as in Avalanche
        for index in order.split(6):
            for e, g in zip(expected, gradients(index, images.labels[index]), strict=True):
                e += g**2 / 3
    else:
        for i in range(len(images)):
            index = torch.tensor([i])
            p = strategy.model(images.gather(index))[0, :4].softmax(0).detach()
            for label in range(4):
                share = p[label] if estimator == "exact" else float(label == images.labels[i])
                for e, g in zip(expected, gradients(index, torch.tensor([label])), strict=True):
                    e += share * g**2 / len(images)
    assert len(images) == 18
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)
    assert torch.equal(found[-1][4:], torch.zeros(2)), "units not seen yet carry no information"


def test_task_incremental_uses_the_tasks_own_classes(tiny):
    benchmark = tiny.benchmark(protocol="task-incremental")
    strategy = tiny.strategy("naive", benchmark, depth=0)
    strategy.outputs.observe([0, 1], 0)
    strategy.outputs.observe([2, 3], 1)
    images = benchmark.train_stream[1].dataset.ready_images
    bias = fisher_diagonal(strategy, images, "exact", 0)[-1]
    p = strategy.model(images.gather(torch.arange(len(images))))[:, [2, 3]].softmax(1).detach()
    torch.testing.assert_close(bias[[2, 3]], (p * (1 - p)).mean(0))
    assert torch.equal(bias[[0, 1, 4, 5]], torch.zeros(4))


def test_the_fisher_samples_are_drawn_without_replacement_in_evaluation_mode(tiny):
    benchmark = tiny.benchmark()
    strategy = tiny.strategy("naive", benchmark, depth=0, seed=3)
    strategy.outputs.observe([0, 1], 0)
    strategy.model.features.append(nn.Dropout(0.5))
    strategy.model.train()
    images = benchmark.train_stream[0].dataset.ready_images
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(3))[:7]
    bias = fisher_diagonal(strategy, images, "exact", 7)[-1]
    assert strategy.model.training
    strategy.model.eval()
    p = strategy.model(images.gather(chosen))[:, :2].softmax(1).detach()
    torch.testing.assert_close(bias[:2], (p * (1 - p)).mean(0))


def test_the_anchor_is_a_copy_and_the_state_restores(tiny):
    benchmark = tiny.benchmark()
    strategy = tiny.strategy("ewc", benchmark, {"lam": 1.0}, epochs=1)
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    ewc = strategy.plugins[0]
    weights = [p.detach().clone() for p in strategy.model.parameters()]
    with torch.no_grad():
        for p in strategy.model.parameters():
            p.add_(1)
    assert all(torch.equal(a, w) for a, w in zip(ewc.anchor, weights, strict=True))
    other = plugin()
    other.load_state_dict(ewc.state_dict(), None)
    assert tiny.difference(other.state_dict(), ewc.state_dict()) == ""


def test_strong_ewc_holds_the_weights_and_weak_does_not(tiny):
    benchmark = tiny.benchmark()
    distance = {}
    for lam in (0.0, 50.0):
        strategy = tiny.strategy("ewc", benchmark, {"lam": lam}, epochs=5, lr=0.02)
        strategy.train(benchmark.train_stream[0], eval_streams=[])
        ewc = strategy.plugins[0]
        anchor, precision = [a.clone() for a in ewc.anchor], ewc.precision
        strategy.train(benchmark.train_stream[1], eval_streams=[])
        distance[lam] = sum(
            float((f * (p - a) ** 2).sum())
            for f, p, a in zip(precision, strategy.model.parameters(), anchor, strict=True)
        )
    assert distance[50.0] < distance[0.0] / 5


def test_build_passes_its_options_on(tiny):
    strategy = build(setting=tiny.setting(), lam=2.0, mode="online", gamma=0.5, fisher="batched", fisher_samples=3)
    ewc = strategy.plugins[0]
    assert (ewc.lam, ewc.mode, ewc.gamma, ewc.estimator, ewc.samples) == (2.0, "online", 0.5, "batched", 3)
    assert isinstance(strategy.outputs, OutputMask)
