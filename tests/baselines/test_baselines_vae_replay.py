"""VAE with generative replay: what is replayed, the loss by hand, naive and joint training, what survives."""

import copy

import pytest
import torch
from torch import Tensor

from recollect.config.schema import read_yaml
from recollect.config.suite import METHODS_FILE
from recollect.engine.snapshots import snapshot_hashes
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError

SMALL = {"latent": 2, "binary": 2, "gen_d": 4}
TRAIN = {"epochs": 4, "lr": 0.01}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def make(tiny, benchmark, hyper=None, **train):
    return tiny.strategy("vae_replay", benchmark, {**SMALL, **(hyper or {})}, **{**TRAIN, **train})


def learn(strategy, benchmark, tasks):
    for _, experience in strategy.curriculum(list(benchmark.train_stream)[:tasks]):
        strategy.train(experience, eval_streams=[])
    return strategy


def stand(strategy, benchmark, task):
    """Put a strategy before the first step of a task."""
    strategy.experience, strategy.is_training, strategy.epoch = benchmark.train_stream[task], True, 0
    strategy.start_phase()
    strategy.model.train()
    images = strategy.experience.dataset.ready_images
    index = torch.arange(5)
    strategy.mbatch = [images.gather(index), images.labels[index], images.task_labels[index]]
    return strategy


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def repeat(seed, call):
    torch.manual_seed(seed)
    return call()


# Replay --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("learned", "counts"), [(1, [2]), (2, [3, 2])])
def test_replay_comes_from_the_frozen_decoder_with_the_codes_of_its_tasks(tiny, benchmark, learned, counts):
    """int(5 min(k, 3) / 2) rows, dealt to the old tasks; a certain one and a certain minus one tell them apart."""
    strategy = stand(learn(make(tiny, benchmark), benchmark, learned), benchmark, learned)
    strategy.ones[:2] = torch.eye(2)
    images, tasks = repeat(3, strategy.replay)
    assert torch.bincount(tasks).tolist() == counts
    z = repeat(3, lambda: torch.randn(sum(counts), 2))
    b = (2 * torch.eye(2) - 1)[tasks]
    torch.testing.assert_close(images, strategy.old.images(z, b, tasks))
    assert same(strategy.old.state_dict(), strategy.model.decoder.state_dict())
    assert not strategy.old.training
    assert not any(p.requires_grad for p in strategy.old.parameters())


def test_replayed_codes_are_drawn_with_the_probabilities_of_the_task(tiny, benchmark):
    strategy = stand(learn(make(tiny, benchmark, batch_size=4000), benchmark, 2), benchmark, 2)
    strategy.ones[:2] = torch.tensor([[0.1, 0.9], [0.7, 0.5]])
    seen = []
    strategy.old.images = lambda z, b, tasks: seen.append((b, tasks)) or b
    strategy.replay()
    ((b, tasks),) = seen
    for task in range(2):
        share = (b[tasks == task] > 0).float().mean(0)
        torch.testing.assert_close(share, strategy.ones[task], atol=0.04, rtol=0)


def test_what_is_replayed_stays_as_it_was_before_the_task(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 1)
    before, seen = weights(strategy.model.decoder), []
    after = strategy._after_training_epoch

    def ended(**kwargs):
        after(**kwargs)
        seen.append((same(strategy.old.state_dict(), before), same(strategy.model.decoder.state_dict(), before)))

    strategy._after_training_epoch = ended
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    assert seen == [(True, False)] * 4
    assert strategy.old is None


def test_current_data_alone_are_naive_training(tiny, benchmark):
    strategy, rows = make(tiny, benchmark, {"data": "current"}), []
    forward = strategy.forward

    def watched():
        out = forward()
        assert strategy.old is None
        assert torch.equal(strategy.x, strategy.mb_x)
        rows.append(strategy.tasks.unique().tolist())
        return out

    strategy.forward = watched
    learn(strategy, benchmark, 3)
    assert rows == [[0]] * 16 + [[1]] * 16 + [[2]] * 16


def test_the_shares_of_ones_are_those_of_the_current_images_in_the_last_epoch(tiny, benchmark):
    strategy = learn(make(tiny, benchmark, {"binary": 3}), benchmark, 1)
    kept, noted = strategy.ones[0].clone(), []
    note = strategy._note_ones
    strategy._note_ones = lambda b: (noted.append((strategy.epoch, b)), note(b))
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    last = torch.cat([b for epoch, b in noted if epoch == 3])
    assert last.shape == (18, 3)
    torch.testing.assert_close(strategy.ones[1], (last / 2 + 0.5).mean(0))
    assert torch.equal(strategy.ones[0], kept)
    assert (strategy.ones[2] == 0.5).all()


# Loss ----------------------------------------------------------------------------------------------


def by_hand(strategy, x, tasks, hyper):
    """Negative evidence lower bound per image, written out; draws in the order of the method."""
    replayed = torch.zeros(0)
    if strategy.old is not None:
        replayed, old = strategy.replay()
        x, tasks = torch.cat([x, replayed]), torch.cat([tasks, old])
    mean, log_variance, logits = strategy.model.encoder(x)
    uniform = torch.rand_like(logits)
    gumbel = torch.log(uniform) - torch.log(1 - uniform)
    b = 2 / (1 + torch.exp(-(2 * logits + gumbel))) - 1  # temperature 1
    z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
    pixels = 1 / (1 + torch.exp(-strategy.model.decoder(z, b, tasks)))
    squared = (pixels - x) ** 2
    cross_entropy = -(x * torch.log(pixels) + (1 - x) * torch.log(1 - pixels))
    error = cross_entropy if hyper.get("reconstruction") == "bce" else squared
    divergence = (mean**2 + torch.exp(log_variance) - 1 - log_variance) / 2
    total = hyper.get("reconstruction_weight", 1.0) * error.sum() + divergence.sum()
    return total / len(x), len(replayed)


@pytest.mark.parametrize("hyper", [{}, {"reconstruction": "bce", "reconstruction_weight": 3.0}])
@pytest.mark.parametrize("learned", [0, 2])
def test_the_loss_by_hand(tiny, benchmark, hyper, learned):
    strategy = stand(learn(make(tiny, benchmark, hyper), benchmark, learned), benchmark, learned)

    def loss() -> Tensor:
        strategy.mb_output = strategy.forward()
        return strategy.training_loss()

    found = repeat(7, loss)
    tasks = torch.full((5,), learned)
    wanted, replayed = repeat(7, lambda: by_hand(strategy, strategy.mb_x, tasks, hyper))
    assert replayed == (5 if learned else 0)
    torch.testing.assert_close(found, wanted)


def test_gradients_are_cut_and_adam_is_as_told(tiny, benchmark):
    strategy = make(tiny, benchmark, {"clip_value": 0.5, "lr_decay": 0.9}, weight_decay=1e-5)
    (phase,) = strategy.phases()
    assert (phase.name, phase.epochs, phase.lr, phase.lr_decay) == ("train", 4, 0.01, 0.9)
    assert (phase.weight_decay, phase.clip_value, phase.batches) == (1e-5, 0.5, None)
    assert {id(p) for p in phase.parameters()} == {id(p) for p in strategy.model.parameters()}


# Joint ---------------------------------------------------------------------------------------------


def test_joint_is_one_run_on_the_union_with_the_task_of_every_image(tiny, benchmark):
    strategy, seen = make(tiny, benchmark, {"data": "joint"}), []
    ((task, experience),) = strategy.curriculum(list(benchmark.train_stream))
    assert task == 2
    forward = strategy.forward

    def watched():
        out = forward()
        assert strategy.old is None
        seen.append((strategy.epoch, strategy.tasks, strategy.mb_y))
        return out

    strategy.forward = watched
    strategy.train(experience, eval_streams=[])
    for epoch in range(4):
        tasks, labels = (torch.cat(part) for part in zip(*(rest for e, *rest in seen if e == epoch), strict=True))
        assert torch.bincount(tasks).tolist() == [18, 18, 18]
        assert torch.equal(tasks, labels // 2)


def test_joint_has_shares_of_ones_for_every_task(tiny, benchmark):
    strategy, noted = make(tiny, benchmark, {"data": "joint"}), []
    note = strategy._note_ones
    strategy._note_ones = lambda b: (noted.append((strategy.epoch, strategy.tasks, b)), note(b))
    learn(strategy, benchmark, 3)
    tasks = torch.cat([t for epoch, t, _ in noted if epoch == 3])
    b = torch.cat([b for epoch, _, b in noted if epoch == 3])
    for task in range(3):
        torch.testing.assert_close(strategy.ones[task], (b[tasks == task] / 2 + 0.5).mean(0))


def test_joint_leaves_one_snapshot_that_samples_every_task(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "vae_replay", benchmark, hyper={**SMALL, "data": "joint"}, **TRAIN)
    record = run.run()
    assert record["status"] == "ok"
    assert set(snapshot_hashes(tmp_path, 3)) == set(record["snapshots"]) == {"2"}
    assert record["iterations"] == 4 * 11
    samples = [run.strategy.sample(3, task, torch.Generator().manual_seed(0)) for task in range(3)]
    assert not torch.equal(samples[0], samples[2])


# The whole -----------------------------------------------------------------------------------------


def test_networks_are_those_of_adapt_and_align(tiny, benchmark):
    ours, theirs = (tiny.strategy(m, benchmark, SMALL, **TRAIN).model for m in ("vae_replay", "adapt_align_vae"))
    shapes = [{name: p.shape for name, p in model.state_dict().items()} for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_the_budget_is_that_of_adapt_and_align():
    """As many epochs as both of its phases together, wherever the configuration sets them."""
    methods = read_yaml(METHODS_FILE)
    theirs = methods["adapt_align_vae"]
    for name in ("vae_replay", "vae_naive", "vae_joint"):
        ours = methods[name]
        settings = {**theirs["defaults"], **theirs["datasets"]["digits"]}
        assert ours["defaults"]["epochs"] == theirs["defaults"]["epochs"] + theirs["defaults"]["global_epochs"]
        assert ours["datasets"]["digits"]["epochs"] == settings["epochs"] + settings["global_epochs"]
        others = [d for d in ours["datasets"] if d != "digits"]
        assert not any("epochs" in {**ours["datasets"][d], **theirs["datasets"][d]} for d in others)


def test_steps_are_counted_on_current_images(tiny, benchmark, tmp_path, monkeypatch):
    """Replay makes batches larger, not more: epochs times batches of the task's images."""
    steps, step = [], Strategy.optimizer_step

    def counting(strategy):
        steps.append((strategy.tasks_learned, len(strategy.x)))
        step(strategy)

    monkeypatch.setattr(Strategy, "optimizer_step", counting)
    run = tiny.runner(tmp_path, "vae_replay", benchmark, hyper=SMALL, **TRAIN)
    assert run.run()["iterations"] == len(steps) == 3 * 4 * 4
    extra = {0: 0, 1: 2, 2: 5}
    assert {(task, rows) for task, rows in steps} == {(k, n + extra[k]) for k in extra for n in (5, 3)}


@pytest.mark.parametrize("data", ["replay", "current"])
def test_old_tasks_survive_because_of_replay(tiny, benchmark, data):
    hyper = {"latent": 2, "binary": 2, "gen_d": 8, "data": data, "lr_decay": 1.0, "replay_share": 1.0}
    strategy = learn(make(tiny, benchmark, hyper, epochs=100), benchmark, 2)
    images = benchmark.train_stream[0].dataset.ready_images
    mean = images.gather(torch.arange(len(images))).mean(0)
    error = (strategy.sample(400, 0, torch.Generator().manual_seed(0)).mean(0) - mean).square().mean().item()
    if data == "replay":
        assert error < 0.006
    else:
        assert error > 0.015


def test_a_snapshot_samples_as_the_strategy_did(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 2)
    stored = copy.deepcopy(strategy.snapshot())
    other = make(tiny, benchmark)
    other.load_snapshot(stored)
    for task in range(2):
        a, b = (s.sample(5, task, torch.Generator().manual_seed(3)) for s in (strategy, other))
        assert torch.equal(a, b)
        assert a.shape == (5, 1, 6, 6)
        assert 0 <= a.min().item() <= a.max().item() <= 1


def test_carried_memory_is_constant_in_the_number_of_tasks(tiny, benchmark, tmp_path):
    """Probabilities and counters of the binary latents; the networks are the model."""
    carried = tiny.runner(tmp_path, "vae_replay", benchmark, hyper=SMALL, **TRAIN).run()["carried_bytes"]
    assert carried[0] == 4 * 3 * (2 + 3)
    assert len(carried) == 3
    assert len(set(carried)) == 1


def test_no_epochs_are_refused(tiny, benchmark):
    with pytest.raises(RecollectError, match="epochs is 0: a generator needs at least 1"):
        make(tiny, benchmark, epochs=0)
