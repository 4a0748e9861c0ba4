"""LwF: loss and gradient written by hand, a teacher that nothing moves."""

import copy

import pytest
import torch
from torch import nn

from baselines.lwf import LwF, distillation
from recollect.engine.replay import reservoir


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def with_dropout(tiny, benchmark, **options):
    """LwF whose network has a dropout layer, after its first task."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 6))
    chosen = {"alpha": 1.5, "temperature": 2.0, "temperature_squared": False, "weighting": "sum", **options}
    setting = tiny.setting(benchmark, lr=0.1)
    strategy = LwF(**chosen, buffer=reservoir(setting, 0), replay_batch_size=1, **setting.arguments(model))
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    return strategy


def logits_and_loss(strategy, experience):
    """The loss of a batch of the next task, as the engine computes it, with logits that keep their gradient."""
    images = experience.dataset.ready_images
    index = torch.arange(7)
    strategy.outputs.observe(experience.classes_in_this_experience, experience.task_number)
    strategy.mbatch = [images.gather(index), images.labels[index], images.task_labels[index]]
    strategy.is_training = True
    strategy.mb_output = strategy.forward().detach().requires_grad_()
    return strategy.mb_output, strategy.training_loss()


def expected(strategy, logits, y, teacher_logits, old, seen, temperature, factor, weights):
    """Loss and gradient in the logits, from the formulas; no autograd."""
    n = len(y)
    p_new = torch.full_like(logits, -torch.inf)
    p_new[:, seen] = logits[:, seen].detach()
    p_new = p_new.softmax(1)
    ce = -p_new[torch.arange(n), y].log().mean()
    gradient = weights[0] * (p_new - nn.functional.one_hot(y, 6)) / n
    p = torch.exp(teacher_logits[:, old] / temperature)
    p = p / p.sum(1, keepdim=True)
    q = torch.exp(logits[:, old].detach() / temperature)
    q = q / q.sum(1, keepdim=True)
    kl = (p * (p / q).log()).sum(1).mean()
    gradient[:, old] += weights[1] * factor * (q - p) / (temperature * n)
    return weights[0] * ce + weights[1] * factor * kl, gradient


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("weighting", ["sum", "share"])
@pytest.mark.parametrize("task", [1, 2])
def test_loss_and_gradient_equal_the_formula(tiny, benchmark, temperature, squared, weighting, task):
    strategy = with_dropout(
        tiny, benchmark, temperature=temperature, temperature_squared=squared, weighting=weighting
    )
    for experience in benchmark.train_stream[1:task]:
        strategy.train(experience, eval_streams=[])
    teacher = copy.deepcopy(strategy.model).eval()
    with torch.no_grad():  # the student has moved on
        strategy.model[1].weight.add_(0.3 * torch.randn(12, 36, generator=torch.Generator().manual_seed(1)))
    strategy.model.train()
    logits, loss = logits_and_loss(strategy, benchmark.train_stream[task])
    old, seen = list(range(2 * task)), list(range(2 * task + 2))
    share = 1 / (task + 1)
    weights = (share, (1 - share) * 1.5) if weighting == "share" else (1.0, 1.5)
    value, gradient = expected(
        strategy, logits, strategy.mb_y, teacher(strategy.mb_x).detach(), old, seen, temperature,
        temperature**2 if squared else 1.0, weights,
    )  # fmt: skip
    loss.backward()
    torch.testing.assert_close(loss.detach(), value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(logits.grad, gradient, rtol=1e-4, atol=1e-7)
    assert float(gradient[:, old].abs().max()) > 1e-4


def test_the_first_task_is_plain_cross_entropy(tiny, benchmark):
    lwf, naive = (tiny.strategy(method, benchmark) for method in ("lwf", "naive"))
    for strategy in (lwf, naive):
        strategy.train(benchmark.train_stream[0], eval_streams=[])
    assert all(torch.equal(a, b) for a, b in zip(lwf.model.parameters(), naive.model.parameters(), strict=True))
    for strategy in (lwf, naive):
        strategy.train(benchmark.train_stream[1], eval_streams=[])
    assert not torch.equal(lwf.model.head.weight, naive.model.head.weight)


def test_the_teacher_answers_without_dropout_and_draws_nothing(tiny, benchmark):
    strategy = with_dropout(tiny, benchmark)
    assert not any(module.training for module in strategy.teacher.modules())
    strategy.model.train()
    x = torch.rand(5, 1, 6, 6)
    assert torch.equal(strategy.teacher(x), strategy.teacher(x))
    assert not torch.equal(strategy.model(x), strategy.model(x))
    logits_and_loss(strategy, benchmark.train_stream[1])
    before = torch.get_rng_state()
    strategy.training_loss()
    assert torch.equal(torch.get_rng_state(), before)


def test_training_never_moves_the_teacher(tiny, benchmark):
    strategy = with_dropout(tiny, benchmark)
    student = [p.detach().clone() for p in strategy.model.parameters()]
    seen = []

    class Watching(type(strategy.plugins[0])):
        """Reads the teacher at the end of the last epoch, before the next one is adopted."""

        def after_training_epoch(self, strategy, **kwargs):
            seen.append([p.clone() for p in strategy.teacher.parameters()])
            assert all(p.grad is None and not p.requires_grad for p in strategy.teacher.parameters())

    strategy.plugins.append(Watching())
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    assert all(torch.equal(a, b) for teacher in seen for a, b in zip(teacher, student, strict=True))
    moved = list(strategy.model.parameters())
    assert not torch.equal(moved[0], student[0])
    assert all(torch.equal(a, b) for a, b in zip(strategy.teacher.parameters(), moved, strict=True)), "the new one"
    assert strategy.teacher_classes.tolist() == [0, 1, 2, 3]


def test_distillation_is_zero_at_the_teacher_and_matches_torch_distributions():
    a, b = 4 * torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(distillation(a, a, 3.0)) == pytest.approx(0, abs=1e-12)
    p, q = (torch.distributions.Categorical(logits=t / 3.0) for t in (b, a))
    assert float(distillation(a, b, 3.0)) == pytest.approx(float(torch.distributions.kl_divergence(p, q).mean()))
    assert float(distillation(a, b, 3.0)) != pytest.approx(float(distillation(b, a, 3.0)), rel=1e-3)
