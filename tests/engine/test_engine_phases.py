"""Phases: their optimizers, learning rates, cut gradients and seconds, as seen by a strategy with several."""

import pytest
import torch

from recollect.engine import runner
from recollect.engine.phases import Phase, decay
from recollect.engine.strategy import Strategy


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


class Staged(Strategy):
    """Two phases and one of no epochs; notes what it sees."""

    clip = None

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.seen, self.started = [], []

    def phases(self):
        layers = [m for m in self.model.modules() if isinstance(m, torch.nn.Linear)]
        adam = {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9), "clip_value": self.clip}
        return [
            Phase("first", 3, layers[0].parameters, lr_decay=0.5, **adam),
            Phase("none", 0, layers[0].parameters),
            Phase("last", 2, layers[-1].parameters, lr=0.02),
        ]

    def start_phase(self):
        self.started.append((self.phase.name, self.epoch))

    def optimizer_step(self):
        group = self.optimizer.param_groups[0]
        self.seen.append((self.phase.name, self.epoch, group["lr"], group["weight_decay"], group["betas"]))
        super().optimizer_step()


def staged(tiny, benchmark, **train):
    torch.manual_seed(0)
    return Staged(**tiny.setting(benchmark, **train).arguments())


def test_every_phase_has_its_own_adam_and_epochs(tiny, benchmark):
    strategy = staged(tiny, benchmark)
    own = strategy.optimizer
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    assert strategy.started == [("first", 0), ("none", 0), ("last", 0)]
    steps = 4  # of 18 images in batches of 5
    first = [("first", e, 0.01 * 0.5**e, 0.1, (0.5, 0.9)) for e in range(3) for _ in range(steps)]
    assert strategy.seen == first + [("last", e, 0.02, 0.0, (0.9, 0.999)) for e in range(2) for _ in range(steps)]
    assert strategy.optimizer is own


def test_a_phase_changes_its_parameters_only(tiny, benchmark):
    strategy = staged(tiny, benchmark)
    layers = [m for m in strategy.model.modules() if isinstance(m, torch.nn.Linear)]
    before = [m.weight.detach().clone() for m in layers]
    enter, at_entry = strategy.enter_phase, []

    def entered():
        enter()
        at_entry.append([torch.equal(m.weight, w) for m, w in zip(layers, before, strict=True)])

    strategy.enter_phase = entered
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    assert at_entry == [[True, True], [False, True], [False, True]]
    assert not torch.equal(layers[-1].weight, before[-1])


@pytest.mark.parametrize("clip", [None, 0.01])
def test_gradients_are_cut_value_by_value(tiny, benchmark, monkeypatch, clip):
    monkeypatch.setattr(Staged, "clip", clip)
    strategy = staged(tiny, benchmark)
    found, step = [], Staged.optimizer_step

    def watched(self):
        grown = [p for group in self.optimizer.param_groups for p in group["params"]]
        for p in grown:
            p.grad.mul_(100)
        before = [p.grad.clone() for p in grown]
        step(self)
        if self.phase.name == "first":
            limit = clip or float("inf")
            found.append(
                all(torch.equal(p.grad, b.clamp(-limit, limit)) for p, b in zip(grown, before, strict=True))
            )

    monkeypatch.setattr(Staged, "optimizer_step", watched)
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    assert found == [True] * 12


def test_seconds_are_recorded_by_phase(tiny, benchmark, tmp_path, monkeypatch):
    run = tiny.runner(tmp_path, "naive", benchmark)
    monkeypatch.setattr(runner, "build_strategy", lambda *a, **k: staged(tiny, benchmark))
    wall = run.run()["wall_s"]
    assert {name for name in wall if name.startswith("train, ")} == {"train, first", "train, none", "train, last"}
    assert wall["train, first"] + wall["train, last"] <= wall["train"]


def test_one_phase_of_the_strategys_own_optimizer_needs_no_name(tiny, benchmark, tmp_path):
    wall = tiny.runner(tmp_path, "naive", benchmark).run()["wall_s"]
    assert not any(name.startswith("train, ") for name in wall)


def test_decay_multiplies_every_group():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weights[0]], "lr": 1.0}, {"params": [weights[1]], "lr": 0.1}])
    decay(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.05]


def test_adam_as_written_by_hand():
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = Phase("p", 1, lambda: iter([weight]), lr=0.1, betas=(0.0, 0.9), weight_decay=0.5).optimizer()
    weight.grad = torch.tensor([1.0, 1.0])
    optimizer.step()
    gradient = torch.tensor([1.0 + 0.5 * 1.0, 1.0 - 0.5 * 2.0])
    wanted = torch.tensor([1.0, -2.0]) - 0.1 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(weight.detach(), wanted)
