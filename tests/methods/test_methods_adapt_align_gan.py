"""Adapt & Align GAN: the two losses, who is updated when, replay on frozen targets, noise inversion."""

import dataclasses

import pytest
import torch
from torch import nn

from methods import adapt_align_gan
from methods.adapt_align_gan import build
from recollect.engine import monitor
from recollect.engine.snapshots import snapshot_hashes
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.generation.snapshots import frozen
from recollect.models.multiband_gan import Critic, gradient_penalty

SMALL = {"latent": 4, "features": 2, "global_epochs": 7}
TRAIN = {"epochs": 2, "lr": 0.001}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark(shape=(1, 8, 8))


def make(tiny, benchmark, hyper=None, value_range=(0.0, 1.0), **train):
    setting = dataclasses.replace(tiny.setting(benchmark, **{**TRAIN, **train}), value_range=value_range)
    torch.manual_seed(0)
    return build(setting=setting, **{**SMALL, **(hyper or {})})


def learn(strategy, benchmark, tasks):
    for experience in list(benchmark.train_stream)[:tasks]:
        strategy.train(experience, eval_streams=[])
    return strategy


def stand(strategy, benchmark, task, phase, epoch=0):
    """Put a strategy at the beginning of a phase of a task, the phases before it left out."""
    strategy.experience, strategy.is_training = benchmark.train_stream[task], True
    strategy.adapted_dataset = strategy.experience.dataset
    phases = strategy.phases()
    names = [p.name for p in phases]
    for number in sorted({names.index(phase), *([1] if phase == "global" else [])}):
        strategy.phase, strategy.phase_number, strategy.epoch = phases[number], number, epoch
        strategy.start_phase()
    strategy.enter_phase()
    return strategy


def parameters(network):
    return [p.detach().clone() for p in network.parameters()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def images_of(benchmark, task):
    images = benchmark.train_stream[task].dataset.ready_images
    return images.gather(torch.arange(len(images)))


def batch_of(benchmark, task, n):
    """A mini-batch of the first ``n`` images."""
    images = benchmark.train_stream[task].dataset.ready_images
    index = torch.arange(n)
    return [images.gather(index), images.labels[index], images.task_labels[index]]


# Losses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_the_critics_loss_is_equation_3(tiny, benchmark, weight):
    strategy = stand(make(tiny, benchmark, {"penalty": weight}), benchmark, 0, "local")
    strategy.mbatch = batch_of(benchmark, 0, 5)
    strategy.mb_output = strategy.forward()
    assert not strategy.mb_output.requires_grad
    real, fake, critic = 2 * strategy.mb_x - 1, strategy.mb_output, strategy.model.critic
    torch.manual_seed(3)
    loss = strategy.training_loss()
    torch.manual_seed(3)
    penalty = gradient_penalty(critic, real, fake)
    torch.testing.assert_close(loss, critic(fake).mean() - critic(real).mean() + weight * penalty)


def test_a_critic_that_follows_its_loss_prefers_images(tiny, benchmark):
    strategy = stand(make(tiny, benchmark, {"critic_steps": 1000}, lr=0.01), benchmark, 0, "local")
    strategy.mbatch = batch_of(benchmark, 0, 18)
    strategy.clock.train_epoch_iterations = 1  # no step of the generator
    for _ in range(30):
        strategy.mb_output = strategy.forward()
        strategy.optimizer.zero_grad()
        strategy.training_loss().backward()
        strategy.optimizer_step()
    scores = strategy.model.critic(2 * strategy.mb_x - 1).mean() - strategy.model.critic(strategy.mb_output).mean()
    assert scores.item() > 0.5


def test_the_generators_step_follows_equation_4(tiny, benchmark):
    """One step of plain gradient descent on -E[D(G(z, k))]; the critic stands still meanwhile."""
    strategy = stand(learn(make(tiny, benchmark), benchmark, 1), benchmark, 1, "local")
    generator, critic = strategy.model.generator, strategy.model.critic
    strategy.generator_optimizer = torch.optim.SGD(generator.parameters(), lr=0.01)
    strategy.optimizer = torch.optim.SGD(critic.parameters(), lr=0.0)
    strategy.mbatch = batch_of(benchmark, 1, 5)
    strategy.clock.train_epoch_iterations = 0
    before = parameters(generator)
    torch.manual_seed(5)
    z = torch.randn(5, 4)
    loss = -critic(generator(z, torch.full((5,), 1))).mean()
    gradients = torch.autograd.grad(loss, list(generator.parameters()))
    torch.manual_seed(5)
    strategy.optimizer_step()
    wanted = [p - 0.01 * g for p, g in zip(before, gradients, strict=True)]
    torch.testing.assert_close(parameters(generator), wanted)
    assert all(p.requires_grad for p in critic.parameters())
    after = -critic(generator(z, torch.full((5,), 1))).mean()
    assert after.item() < loss.item()


# Who is updated when -------------------------------------------------------------------------------


def test_the_generator_is_stepped_at_every_fifth_batch(tiny, benchmark):
    strategy = make(tiny, benchmark, batch_size=1)
    moved, step = [], strategy.optimizer_step

    def watched():
        before = parameters(strategy.model.generator), parameters(strategy.model.critic)
        step()
        after = parameters(strategy.model.generator), parameters(strategy.model.critic)
        assert not same(before[1], after[1])
        if not same(before[0], after[0]):
            moved.append((strategy.epoch, strategy.clock.train_epoch_iterations))

    strategy.optimizer_step = watched
    learn(strategy, benchmark, 1)
    assert moved == [(epoch, batch) for epoch in range(9) for batch in (0, 5, 10, 15)]


def test_phases_of_the_first_and_of_later_tasks(tiny, benchmark):
    strategy = build(setting=tiny.setting(benchmark, epochs=120, lr=0.0002, batch_size=64))
    (local,) = strategy.phases()
    assert (local.name, local.epochs, local.lr, local.betas) == ("local", 320, 0.0002, (0.0, 0.9))
    assert (local.weight_decay, local.lr_decay) == (0.001, 0.99)
    strategy.world, strategy.tasks_learned = strategy.model.generator, 1
    local, translator, world = strategy.phases()
    assert [(p.name, p.epochs) for p in (local, translator, world)] == [
        ("local", 120), ("translator", 5), ("global", 195),
    ]  # fmt: skip
    assert (local.lr, local.betas, local.weight_decay, local.lr_decay) == (0.0002, (0.0, 0.9), 0.001, 0.99)
    for phase in (translator, world):
        assert (phase.lr, phase.betas, phase.weight_decay, phase.lr_decay) == (0.001, (0.9, 0.999), 0.0, 0.99)


def test_both_optimizers_of_the_local_phase(tiny, benchmark):
    strategy = stand(make(tiny, benchmark, lr=0.0002), benchmark, 0, "local")
    (critic,), (generator,) = strategy.optimizer.param_groups, strategy.generator_optimizer.param_groups
    assert {id(p) for p in critic["params"]} == {id(p) for p in strategy.model.critic.parameters()}
    assert {id(p) for p in generator["params"]} == {id(p) for p in strategy.model.generator.parameters()}
    for group, weight_decay in ((critic, 0.001), (generator, 0.0)):
        assert (group["lr"], group["betas"], group["weight_decay"]) == (0.0002, (0.0, 0.9), weight_decay)


def test_both_learning_rates_fall_every_epoch(tiny, benchmark):
    strategy, rates = make(tiny, benchmark, {"lr_decay": 0.5}, lr=0.01), []
    after = strategy._after_training_epoch

    def ended(**kwargs):
        after(**kwargs)
        optimizers = strategy.optimizer, strategy.generator_optimizer
        rates.append([o.param_groups[0]["lr"] for o in optimizers])

    strategy._after_training_epoch = ended
    learn(strategy, benchmark, 1)
    assert rates == [[0.01 * 0.5**e] * 2 for e in range(1, 10)]


def test_every_phase_trains_its_own_networks_only(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 1)
    seen = {}
    start, after = strategy.start_phase, strategy._after_training_epoch

    def parts():
        world = strategy.world
        nets = {"generator": strategy.model.generator, "critic": strategy.model.critic, "network": world.network}
        nets |= {"embedding": world.embedding, "translator": world.translator}
        return {name: parameters(net) for name, net in nets.items()}

    def started():
        start()
        seen[strategy.phase.name] = parts()

    def ended(**kwargs):
        after(**kwargs)
        if strategy.epoch == strategy.phase.epochs:
            before = seen[strategy.phase.name]
            seen[strategy.phase.name] = {name for name, now in parts().items() if not same(before[name], now)}

    strategy.start_phase, strategy._after_training_epoch = started, ended
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    assert seen == {
        "local": {"generator", "critic"},
        "translator": {"embedding", "translator"},
        "global": {"embedding", "translator", "network"},
    }


def test_what_a_task_starts_from(tiny, benchmark):
    """The critic goes on; the local generator is a copy of the global one, which is frozen before it changes."""
    strategy = learn(make(tiny, benchmark), benchmark, 1)
    assert same(parameters(strategy.model.generator), parameters(strategy.world))
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    critic, world = parameters(strategy.model.critic), parameters(strategy.world)
    assert not same(parameters(strategy.model.generator), world)
    start, seen = strategy.start_phase, []

    def started():
        start()
        seen.append(strategy.phase.name)
        if strategy.phase.name == "local":
            assert same(parameters(strategy.model.critic), critic)
            assert same(parameters(strategy.model.generator), world)
        if strategy.phase.name == "translator":
            assert not same(parameters(strategy.model.critic), critic)
            assert same(parameters(strategy.old), world)
            assert not strategy.old.training

    strategy.start_phase = started
    strategy.train(benchmark.train_stream[2], eval_streams=[])
    assert seen == ["local", "translator", "global"]
    assert strategy.old is None


# Replay --------------------------------------------------------------------------------------------


def test_targets_are_what_frozen_generators_make_of_the_same_noise_and_task(tiny, benchmark):
    strategy = stand(learn(make(tiny, benchmark), benchmark, 2), benchmark, 2, "global")
    target, old, task, z = (torch.cat(parts) for parts in zip(*strategy.dataloader, strict=True))
    assert torch.equal(old, task < 2)
    torch.testing.assert_close(target[old], strategy.old(z[old], task[old]))
    assert set(task[~old].tolist()) == {2}
    local = strategy.model.generator.eval()
    torch.testing.assert_close(target[~old], local(z[~old], task[~old]).detach())
    assert not torch.equal(strategy.old(z, task), local(z, task))


def test_the_regression_is_the_mean_squared_error_to_the_targets(tiny, benchmark):
    strategy = stand(learn(make(tiny, benchmark), benchmark, 2), benchmark, 2, "global")
    strategy.mbatch = next(iter(strategy.dataloader))
    target, _, task, z = strategy.mbatch
    strategy.mb_output = strategy.forward()
    loss = strategy.training_loss()
    torch.testing.assert_close(loss, (strategy.world(z, task) - target).square().mean())


@pytest.mark.parametrize(("batch", "old", "each"), [(64, 1, 32), (64, 2, 32), (5, 1, 2), (5, 2, 2)])
def test_rows_of_an_iteration(tiny, benchmark, batch, old, each):
    """int(batch min(k, 3) / 2) // k of every old task beside a batch of the current one, mixed anew each time."""
    strategy = stand(learn(make(tiny, benchmark, batch_size=batch), benchmark, old), benchmark, old, "global")
    loader = strategy.dataloader
    assert loader.iterations == -(-18 // batch)
    blocks = []
    for number in range(3):
        loader.start_epoch(torch.Generator().manual_seed(number))
        blocks += loader.make_block(0, loader.iterations, torch.Generator().manual_seed(number))
    for _, is_old, task, _ in blocks:
        assert torch.bincount(task).tolist() == [each] * old + [batch]
        assert torch.equal(is_old, task < old)
    assert not torch.equal(blocks[0][2], blocks[1][2])
    assert len(torch.unique(torch.cat([z for *_, z in blocks]), dim=0)) == len(blocks) * (each * old + batch)


# Noise inversion -----------------------------------------------------------------------------------

INVERT = {"current": "inversion", "inversion_steps": 3}


class Images:
    """A data set of given images."""

    def __init__(self, x):
        self.x, self.ready_images = x, self
        self.labels = torch.zeros(len(x), dtype=torch.long)

    def __len__(self):
        return len(self.x)

    def gather(self, index):
        return self.x[index]


def inverted(strategy):
    """Noise of the current images for the local generator."""
    schedule = strategy.schedule
    return strategy.invert(frozen(strategy.model.generator), schedule.inversion_steps, schedule.inversion_lr)


def test_conditioned_on_classes_everything_is_told_labels(tiny, benchmark):
    """Classes instead of tasks: an embedding and a critic that know them, replay of all old ones."""
    strategy = make(tiny, benchmark, {"condition": "class"})
    assert strategy.model.critic.class_channel[0].num_embeddings == 6
    for experience in list(benchmark.train_stream)[:2]:
        strategy.train(experience, eval_streams=[])
    assert strategy.learned == [0, 1, 2, 3]
    strategy.experience = benchmark.train_stream[2]
    strategy.adapted_dataset = strategy.experience.dataset
    strategy.old = frozen(strategy.world)
    strategy.dataloader = strategy.mixed_batches()
    _, old, ids, _ = (torch.cat(parts) for parts in zip(*strategy.dataloader, strict=True))
    assert ids[old].unique().tolist() == [0, 1, 2, 3]
    assert ids[~old].unique().tolist() == [4, 5]
    x = torch.rand(2, 1, 8, 8)
    scores = [strategy.model.critic(x, torch.full((2,), c)) for c in (0, 5)]
    assert not torch.allclose(*scores)


def test_inverted_noise_reproduces_what_the_generator_made(tiny, benchmark):
    hyper = {"current": "inversion", "inversion_steps": 600, "features": 8}
    strategy = learn(make(tiny, benchmark, {**hyper, "lr_decay": 1.0}, epochs=30), benchmark, 1)
    strategy.experience = benchmark.train_stream[1]
    local = strategy.model.generator.eval()
    task = torch.full((40,), 1)
    made = local(torch.randn(40, 4), task).detach()
    strategy.adapted_dataset = Images((made + 1) / 2)
    noises = inverted(strategy)
    with torch.no_grad():
        errors = (local(noises, task) - made).square().mean((1, 2, 3))
        other = (local(noises.roll(1, 0), task) - made).square().mean((1, 2, 3))
    assert noises.shape == (40, 4)
    assert not noises.requires_grad
    assert errors.median().item() < 1e-4
    assert errors.median().item() < other.median().item() / 100


def test_how_many_images_are_inverted_at_once_changes_nothing(tiny, benchmark, monkeypatch):
    """Even for a generator that hardly looks at its noise, whose gradients are as small as Adam's epsilon."""
    strategy = make(tiny, benchmark, {"current": "inversion", "inversion_steps": 50})
    strategy.experience, strategy.adapted_dataset = benchmark.train_stream[0], Images(torch.rand(64, 1, 8, 8))
    strategy.model.generator.translator[2].weight.data.mul_(1e-3)
    found = []
    for rows in (64, 4):
        monkeypatch.setattr(adapt_align_gan, "INVERSION_ROWS", rows)
        torch.manual_seed(0)
        found.append(inverted(strategy))
    torch.testing.assert_close(*found)


def test_noises_follow_their_images_through_the_shuffled_order(tiny, benchmark):
    """18 images in 4 iterations of 5: the pass starts again; every row still holds an image and its own noise."""
    strategy = stand(learn(make(tiny, benchmark, INVERT), benchmark, 1), benchmark, 1, "global")
    assert strategy.noises.shape == (18, 4)
    strategy.noises = torch.arange(18.0)[:, None].expand(18, 4)
    wanted = 2 * images_of(benchmark, 1) - 1
    for _ in range(2):
        target, _, task, z = (torch.cat(parts) for parts in zip(*strategy.dataloader, strict=True))
        number = z[task == 1][:, 0].long()
        assert torch.equal(target[task == 1], wanted[number])
        assert torch.bincount(number, minlength=18).tolist().count(1) == 16
        assert len(number) == 20


def test_inversion_happens_once_a_task_and_is_timed(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "adapt_align_gan", benchmark, hyper={**SMALL, **INVERT}, **TRAIN)
    counts = []
    built = run._build

    def watched():
        strategy = built()
        invert = strategy.invert
        strategy.invert = lambda *given: counts.append(strategy.task) or invert(*given)
        return strategy

    run._build = watched
    record = run.run()
    assert counts == [1, 2]
    assert run.strategy.noises is None
    for phase in ("local", "noise inversion", "translator", "global"):
        assert record["wall_s"][f"train, {phase}"] > 0
        assert f"train, {phase}" in record["device_s"]
    parts = sum(seconds for name, seconds in record["wall_s"].items() if name.startswith("train, "))
    assert parts <= record["wall_s"]["train"]


# The whole -----------------------------------------------------------------------------------------


def by_regression(strategy):
    """Put regression onto the images where the game with the critic was: fast, and the result is known."""
    after = strategy._after_training_epoch

    def ended(**kwargs):
        after(**kwargs)
        if strategy.phase.name == "local" and strategy.epoch == strategy.phase.epochs:
            images = strategy.adapted_dataset.ready_images
            x = 2 * images.gather(torch.arange(len(images))) - 1
            optimizer = torch.optim.Adam(strategy.model.generator.parameters(), lr=0.01)
            for _ in range(100):
                optimizer.zero_grad()
                z, task = torch.randn(len(x), strategy.latent), torch.full((len(x),), strategy.task)
                nn.functional.mse_loss(strategy.model.generator(z, task), x).backward()
                optimizer.step()

    strategy._after_training_epoch = ended
    return strategy


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_old_tasks_survive_because_of_replay(tiny, benchmark, share):
    """With the sum over old tasks the first task is kept; without it the same check fails by far."""
    hyper = {"features": 4, "global_epochs": 35, "replay_share": share, "global_lr": 0.003, "lr_decay": 1.0}
    strategy = learn(by_regression(make(tiny, benchmark, hyper, epochs=1)), benchmark, 3)
    errors = []
    for task in range(3):
        mean = strategy.sample(200, task, torch.Generator().manual_seed(0)).mean(0)
        errors.append(float((mean - images_of(benchmark, task).mean(0)).square().mean()))
    assert errors[2] < 0.003
    if share:
        assert errors[0] < 0.003
    else:
        assert errors[0] > 0.01


def test_carried_memory_is_constant_in_the_number_of_tasks(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "adapt_align_gan", benchmark, hyper={**SMALL, **INVERT}, **TRAIN)
    carried = run.run()["carried_bytes"]
    assert len(carried) == 3
    assert len(set(carried)) == 1
    assert carried[0] == sum(t.numel() * t.element_size() for t in run.strategy.world.state_dict().values())


def test_a_snapshot_samples_as_the_strategy_did(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 2)
    other = make(tiny, benchmark)
    other.load_snapshot(strategy.snapshot())
    for task in range(2):
        a, b = (s.sample(5, task, torch.Generator().manual_seed(3)) for s in (strategy, other))
        assert torch.equal(a, b)
        assert a.shape == (5, 1, 8, 8)
        assert 0 <= float(a.min()) <= float(a.max()) <= 1
    local = strategy.model.generator.eval()
    z, task = torch.randn(3, 4), torch.zeros(3, dtype=torch.long)
    assert torch.equal(local(z, task), other.model.generator.eval()(z, task))


def test_samples_are_those_of_the_global_generator(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 2)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(3))
    for task in range(2):
        made = strategy.sample(5, task, torch.Generator().manual_seed(3))
        wanted = strategy.world.eval()(z, torch.full((5,), task)) / 2 + 0.5
        torch.testing.assert_close(made, wanted.detach())


def test_data_of_another_range_are_scaled_and_scaled_back(tiny, benchmark):
    strategy = make(tiny, benchmark, INVERT, value_range=(0.0, 6.5))
    assert strategy.signed(torch.tensor([0.0, 3.25, 6.5])).tolist() == [-1.0, 0.0, 1.0]
    seen = []

    class Watching(Critic):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    strategy.model.critic.__class__ = Watching
    strategy.world, strategy.tasks_learned = strategy.model.generator, 1
    stand(strategy, benchmark, 0, "local")
    x, *labels = batch_of(benchmark, 0, 5)
    strategy.mbatch = [6.5 * x, *labels]
    strategy.mb_output = strategy.forward()
    strategy.training_loss()
    torch.testing.assert_close(seen[-1], 2 * images_of(benchmark, 0)[:5] - 1)
    made = strategy.sample(50, 0, torch.Generator().manual_seed(0))
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made, 3.25 * (strategy.world(z, torch.zeros(50, dtype=torch.long)).detach() + 1))
    strategy.adapted_dataset = Images(6.5 * images_of(benchmark, 0))
    strategy.current, strategy.noises = strategy.adapted_dataset, torch.zeros(18, 4)
    _, _, targets = strategy.current_pairs(torch.zeros(5, 4), torch.arange(5))
    torch.testing.assert_close(targets, 2 * images_of(benchmark, 0)[:5] - 1)


def test_a_critic_that_becomes_nan_is_recorded_as_diverged(tiny, benchmark, tmp_path, monkeypatch):
    """In the third step of the second task; what was learned before stays."""
    monkeypatch.setattr(monitor, "CHECK_EVERY", 3)
    run = tiny.runner(tmp_path, "adapt_align_gan", benchmark, hyper=SMALL, **TRAIN)
    step = Strategy.optimizer_step

    def poisoned(strategy):
        step(strategy)
        if run.monitor.task == 1 and run.monitor.task_steps == 1:
            next(strategy.model.critic.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(Strategy, "optimizer_step", poisoned)
    record = run.run()
    assert record["status"] == "diverged"
    assert "not finite at task 1, step 3" in record["reason"]
    assert set(snapshot_hashes(tmp_path, 3)) == set(record["snapshots"]) == {"0"}


@pytest.mark.parametrize("hyper", [{"global_epochs": 0}, {"critic_steps": 0}])
def test_values_without_meaning_are_refused(tiny, benchmark, hyper):
    with pytest.raises(RecollectError, match="all must be at least 1"):
        make(tiny, benchmark, hyper)


def test_no_local_epoch_is_refused(tiny, benchmark):
    with pytest.raises(RecollectError, match="epochs is 0"):
        make(tiny, benchmark, epochs=0)
