"""Adapt & Align VAE: task codes, phases, replay on shared noise, controlled forgetting, what survives."""

import dataclasses

import pytest
import torch

from recollect.errors import RecollectError
from recollect.generation.shares import replay_counts
from recollect.models.multiband import Decoder, Encoder, task_codes
from recollect.models.multiband_vae import relaxed_binary, temperature

SMALL = {"latent": 2, "binary": 2, "gen_d": 4, "global_epochs": 7}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def make(tiny, benchmark, hyper=None, **train):
    return tiny.strategy(
        "adapt_align_vae", benchmark, {**SMALL, **(hyper or {})}, **{"epochs": 6, "lr": 0.01, **train}
    )


def learn(strategy, benchmark, tasks):
    for experience in list(benchmark.train_stream)[:tasks]:
        strategy.train(experience, eval_streams=[])
    return strategy


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# Small pieces --------------------------------------------------------------------------------------


def test_task_codes_by_hand():
    """u = ((9 i) mod 16) + 1 = 1, 10, 3, 12 for tasks 0 to 3; their bits with 0 as -1."""
    bits = [[0, 0, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    assert task_codes(4, 4, 9).tolist() == [[2.0 * b - 1 for b in row] for row in bits]


def test_the_authors_codes_are_different_for_all_their_tasks():
    assert len(torch.unique(task_codes(10, 4, 9), dim=0)) == 10
    assert len(torch.unique(task_codes(20, 6, 13), dim=0)) == 20


@pytest.mark.parametrize(("tasks", "bits", "prime"), [(17, 4, 9), (5, 4, 8)])
def test_codes_that_would_coincide_are_refused(tasks, bits, prime):
    with pytest.raises(RecollectError, match="different codes"):
        task_codes(tasks, bits, prime)


@pytest.mark.parametrize(
    ("old", "expected"), [(1, [32]), (2, [32, 32]), (3, [32, 32, 32]), (5, [20, 19, 19, 19, 19])]
)
def test_replay_shares_by_hand(old, expected):
    """int(64 min(k, 3) / 2) rows: 32, 64, 96, 96."""
    assert replay_counts(64, old, 0.5) == expected


def test_equal_shares_leave_the_rest_out():
    assert replay_counts(64, 5, 0.5, equal=True) == [19] * 5


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (44, 1), (64, 3)])
def test_convolutional_networks_have_the_sizes_of_the_source(side, channels):
    shape = {"input_shape": (channels, side, side), "network": "conv", "latent": 4, "binary": 2, "d": 4}
    encoder, decoder = Encoder(**shape), Decoder(**shape, codes=task_codes(3, 4, 9))
    flat = {28: 9 * 4, 44: 16 * 4, 64: 36 * 4}[side]
    assert [m.in_features for m in encoder.features if isinstance(m, torch.nn.Linear)] == [flat]
    first = decoder.network[0]
    assert (first.in_features, first.out_features) == (16, {28: 64, 44: 125, 64: 512}[side] * 4)
    x = torch.rand(2, channels, side, side)
    mean, _, logits = encoder(x)
    out = decoder.images(mean, logits.sign(), torch.tensor([0, 2]))
    assert out.shape == x.shape
    assert decoder.sigmoid == (side != 44)


def test_fully_connected_widths():
    shape = {"input_shape": (1, 28, 28), "network": "fc", "latent": 8, "binary": 4, "d": 32}
    widths = [m.out_features for m in Encoder(**shape).features if isinstance(m, torch.nn.Linear)]
    assert widths == [512, 128, 64]
    decoder = Decoder(**shape, codes=task_codes(5, 4, 9))
    assert [m.in_features for m in decoder.network if isinstance(m, torch.nn.Linear)] == [256, 512, 1024]
    assert [m.in_features for m in decoder.translator.layers if isinstance(m, torch.nn.Linear)] == [
        8 + 12 + 8,
        128,
    ]


def test_an_image_size_without_network_is_refused():
    with pytest.raises(RecollectError, match="no convolutional network for images of 6x6"):
        Encoder(input_shape=(1, 6, 6), network="conv", latent=2, binary=0, d=4)


def test_temperature_and_hard_codes():
    assert [temperature(e, 100) for e in (0, 10, 19)] == [1.0, 0.5, pytest.approx(0.05)]
    assert temperature(99, 100) == 0.01
    logits = torch.full((4000, 1), 0.4, requires_grad=True)
    torch.manual_seed(0)
    hard = relaxed_binary(logits, 0.05)
    assert set(hard.detach().unique().tolist()) == {-1.0, 1.0}
    hard.sum().backward()
    assert (logits.grad > 0).all()
    # Gumbel softmax over (l, -l) is one with probability sigmoid(2 l).
    assert float((hard > 0).float().mean()) == pytest.approx(torch.sigmoid(torch.tensor(0.8)).item(), abs=0.03)


# Phases --------------------------------------------------------------------------------------------


def test_phases_of_the_first_and_of_later_tasks(tiny, benchmark):
    strategy = make(tiny, benchmark, {"global_epochs": 140}, epochs=70)
    assert [(p.name, p.epochs) for p in strategy.phases()] == [("local", 210)]
    assert strategy.phases()[0].lr_decay == 0.99
    strategy.world, strategy.tasks_learned = strategy.model.decoder, 1
    found = [(p.name, p.epochs, round(p.lr, 6)) for p in strategy.phases()]
    assert found == [("encoder", 7, 0.001), ("local", 63, 0.01), ("translator", 5, 0.001), ("global", 135, 0.001)]


def test_every_phase_trains_its_own_networks_only(tiny, benchmark):
    strategy = make(tiny, benchmark)
    learn(strategy, benchmark, 1)
    seen = {}
    start, after = strategy.start_phase, strategy._after_training_epoch

    def parts():
        nets = {"encoder": strategy.model.encoder, "local": strategy.model.decoder}
        nets |= {"translator": strategy.world.translator, "network": strategy.world.network}
        return {name: weights(net) for name, net in nets.items()}

    def started():
        start()
        seen[strategy.phase.name] = parts()

    def ended(**kwargs):
        after(**kwargs)
        if strategy.epoch == strategy.phase.epochs:
            seen[strategy.phase.name] = {k: not same(v, seen[strategy.phase.name][k]) for k, v in parts().items()}

    strategy.start_phase, strategy._after_training_epoch = started, ended
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    changed = {phase: {name for name, moved in found.items() if moved} for phase, found in seen.items()}
    assert changed == {
        "encoder": {"encoder"},
        "local": {"encoder", "local"},
        "translator": {"translator"},
        "global": {"translator", "network"},
    }


def test_the_local_decoder_starts_as_the_global_one_and_the_global_one_as_itself(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 1)
    assert same(weights(strategy.model.decoder), weights(strategy.world))
    before = weights(strategy.world)
    start = strategy.start_phase

    def started():
        start()
        if strategy.phase.name == "encoder":
            assert same(weights(strategy.model.decoder), before)
        if strategy.phase.name == "translator":
            assert same(weights(strategy.old), before)
            assert not strategy.old.training

    strategy.start_phase = started
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    assert strategy.old is None


def test_ones_are_the_shares_of_the_last_local_epoch(tiny, benchmark):
    strategy = make(tiny, benchmark, {"binary": 3})
    noted = []
    note = strategy._note_ones
    strategy._note_ones = lambda b, ids: (noted.append((strategy.epoch, b)), note(b, ids))
    learn(strategy, benchmark, 1)
    last = torch.cat([b for epoch, b in noted if epoch == 12])
    assert len(last) == 18
    torch.testing.assert_close(strategy.ones[0], (last > 0).float().mean(0))


# Replay --------------------------------------------------------------------------------------------


def in_global_phase(tiny, benchmark, hyper=None):
    """A strategy that stands at the beginning of the global phase of task 2."""
    strategy = learn(make(tiny, benchmark, hyper), benchmark, 2)
    strategy.experience = benchmark.train_stream[2]
    assert strategy.task == 2
    strategy.adapted_dataset = strategy.experience.dataset
    strategy.phase, strategy.phase_number, strategy.epoch = strategy.phases()[2], 2, 0
    strategy.start_phase()
    strategy.phase, strategy.phase_number, strategy.epoch = strategy.phases()[3], 3, 3
    strategy.enter_phase()
    return strategy


def test_targets_are_what_the_frozen_decoder_makes_of_the_same_latents(tiny, benchmark):
    strategy = in_global_phase(tiny, benchmark)
    rows = [torch.cat(parts) for parts in zip(*strategy.dataloader, strict=True)]
    target, old, task, z, b = rows
    assert torch.equal(old, task < 2)
    assert int(old.sum()) / len(task) == pytest.approx(5 / 10)  # int(5 * 2 * 0.5) beside 5
    torch.testing.assert_close(target[old], strategy.old.images(z[old], b[old], task[old]))


def test_all_old_tasks_share_their_noise(tiny, benchmark):
    strategy = in_global_phase(tiny, benchmark, {"replay_share": 1.0})
    z, _, task = strategy.replay.old_latents(3, torch.Generator().manual_seed(0))
    assert task.tolist() == [0] * 5 + [1] * 5
    assert torch.equal(z[:, :5], z[:, 5:])
    assert not torch.equal(z[0], z[1])


def gradient_size(strategy, rows):
    """Loss and largest gradient of the global decoder on the rows of one iteration."""
    strategy.is_training, strategy.mbatch = True, list(rows)
    strategy.mb_output = strategy.forward()
    loss = strategy.training_loss()
    gradients = torch.autograd.grad(loss, list(strategy.world.network.parameters()))
    return loss.item(), max(float(g.abs().max()) for g in gradients)


def test_identical_tasks_and_a_frozen_translator_leave_the_global_model_as_it_was(tiny, benchmark):
    """Rows of old tasks alone: old and new network agree, but for rounding there is no loss and no gradient."""
    strategy = in_global_phase(tiny, benchmark)
    strategy.world.translator.requires_grad_(False)
    strategy.replay.start_epoch(torch.Generator().manual_seed(0))
    (rows,) = strategy.replay.make_block(0, 1, torch.Generator().manual_seed(1))
    loss, gradient = gradient_size(strategy, rows)
    old_loss, old_gradient = gradient_size(strategy, [part[rows[1]] for part in rows])
    assert loss > 0.1
    assert old_loss < 1e-9
    assert old_gradient < 1e-5 * gradient


@pytest.mark.parametrize(("gamma", "share"), [(1.0, 0.0), (-1.0, 1.0)])
def test_gamma_one_replaces_nothing_and_minus_one_everything(tiny, benchmark, gamma, share):
    strategy = in_global_phase(tiny, benchmark, {"gamma": gamma})
    strategy.replaced.zero_()
    images = strategy.replay.images.gather(torch.arange(18))
    rows = [torch.cat(parts) for parts in zip(*strategy.dataloader, strict=True)]
    old = rows[1]
    real = (rows[0][old][:, None] == images[None]).flatten(2).all(2).any(1)
    assert real.float().mean().item() == share
    assert strategy.replaced.tolist() == [share * int((rows[2] == i).sum()) for i in (0, 1)] + [0]


def nearest(strategy, rows):
    """Cosine similarity in Z of every row to every candidate, (n, candidates)."""
    _, current, current_z, current_b = strategy.replay.candidates
    translator, (_, _, ids, z, b) = strategy.world.translator, rows
    with torch.no_grad():
        here, there = translator(z, b, ids), translator(current_z, current_b, current)
    return torch.nn.functional.cosine_similarity(here[:, None], there[None], dim=2)


def test_a_replaced_target_is_the_current_image_nearest_in_z(tiny, benchmark):
    strategy = in_global_phase(tiny, benchmark, {"gamma": 0.0})
    forget, seen = strategy.forget, []

    def watched(rows):
        seen.append((rows, forget(rows)))
        return seen[-1][1]

    strategy.dataloader.adjust = watched
    list(strategy.dataloader)
    best = torch.cat([nearest(strategy, rows)[rows[1]].max(1).values for rows, _ in seen])
    gamma = float(best.median())
    strategy.schedule = dataclasses.replace(strategy.schedule, gamma=gamma)
    seen.clear()
    list(strategy.dataloader)
    count = 0
    for rows, (changed, *_) in seen:
        similarity = nearest(strategy, rows)
        for i in range(len(changed)):
            if not rows[1][i] or similarity[i].max() <= gamma:
                assert torch.equal(changed[i], rows[0][i])
                continue
            count += 1  # up to rounding: candidates may lie side by side
            chosen = (strategy.replay.candidates[0] == changed[i]).flatten(1).all(1)
            assert similarity[i][chosen].max() > similarity[i].max() - 1e-5
    assert 0 < count < sum(int(rows[1].sum()) for rows, _ in seen)


def test_forgetting_waits_for_the_translator(tiny, benchmark):
    strategy = in_global_phase(tiny, benchmark, {"gamma": -1.0})
    strategy.epoch = 0
    strategy.replaced.zero_()
    list(strategy.dataloader)
    assert strategy.replaced.sum() == 0


# The whole -----------------------------------------------------------------------------------------


def pattern_error(strategy, benchmark, task):
    """Squared distance per pixel of the mean generation to the mean image of a task."""
    images = benchmark.train_stream[task].dataset.ready_images
    mean = images.gather(torch.arange(len(images))).mean(0)
    samples = strategy.sample(400, task, torch.Generator().manual_seed(0))
    return float((samples.mean(0) - mean).square().mean())


LONG = {"latent": 2, "binary": 2, "gen_d": 8, "global_epochs": 150, "global_decay": 1.0}


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_old_tasks_survive_because_of_replay(tiny, benchmark, share):
    """With the sum over old tasks the first task is kept; without it the same check fails by far."""
    strategy = learn(make(tiny, benchmark, {**LONG, "replay_share": share}, epochs=60), benchmark, 3)
    errors = [pattern_error(strategy, benchmark, task) for task in range(3)]
    assert errors[2] < 0.004
    if share:
        assert errors[0] < 0.004
    else:
        assert errors[0] > 0.01


def test_carried_memory_is_constant_in_the_number_of_tasks(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "adapt_align_vae", benchmark, hyper=SMALL, epochs=6, lr=0.01)
    carried = run.run()["carried_bytes"]
    assert len(carried) == 3
    assert len(set(carried)) == 1
    decoder = sum(t.numel() * t.element_size() for t in run.strategy.world.state_dict().values())
    assert carried[0] - decoder < 200  # ones and counters


def test_a_snapshot_samples_as_the_strategy_did(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 2)
    other = make(tiny, benchmark)
    other.load_snapshot(strategy.snapshot())
    for task in range(2):
        a, b = (s.sample(5, task, torch.Generator().manual_seed(3)) for s in (strategy, other))
        assert torch.equal(a, b)
        assert a.shape == (5, 1, 6, 6)
        assert 0 <= float(a.min()) <= float(a.max()) <= 1


def test_conditioned_on_classes_everything_is_told_labels(tiny, benchmark):
    """Classes 0 to 5 instead of tasks 0 to 2: replay of old classes, labels of current images, ones per class."""
    strategy = make(tiny, benchmark, {"condition": "class", "gamma": 0.0})
    learn(strategy, benchmark, 2)
    assert strategy.learned == [0, 1, 2, 3]
    assert strategy.ones.shape == (6, 2)
    seen = []
    forward = strategy.forward

    def watched():
        if strategy.phase.name == "global":
            seen.append(strategy.mbatch)
        return forward()

    strategy.forward = watched
    strategy.train(benchmark.train_stream[2], eval_streams=[])
    _, old, ids, _, _ = (torch.cat(parts) for parts in zip(*seen, strict=True))
    assert ids[old].unique().tolist() == [0, 1, 2, 3]
    assert ids[~old].unique().tolist() == [4, 5]
    assert replay_counts(5, 2, 0.5, among=4) == [2, 1, 1, 1]
    assert strategy.replaced[:4].sum() > 0
    told = []
    strategy.world.translator.register_forward_hook(lambda net, given, out: told.append(given[2]))
    other = make(tiny, benchmark, {"condition": "class"})
    other.load_snapshot(strategy.snapshot())
    pair = [s.sample(40, 1, torch.Generator().manual_seed(0)) for s in (strategy, other)]
    assert told[0].unique().tolist() == [2, 3]
    assert torch.equal(*pair)


@pytest.mark.parametrize("gamma", [1.5, -1.01])
def test_gamma_outside_its_range_is_refused(tiny, benchmark, gamma):
    with pytest.raises(RecollectError, match=r"gamma is .* between -1 and 1"):
        make(tiny, benchmark, {"gamma": gamma})


def test_no_epochs_are_refused(tiny, benchmark):
    with pytest.raises(RecollectError, match="must be at least 1"):
        make(tiny, benchmark, {"global_epochs": 0})


def test_laplacian_of_equal_images_is_zero_and_gradient_flows():
    from recollect.models.laplacian import laplacian_l1, pyramid

    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    assert [p.shape[-1] for p in pyramid(x)] == [28, 14, 7]
    assert laplacian_l1(x, x).item() == 0
    flat = torch.zeros_like(x)
    assert laplacian_l1(flat + 0.25, flat).item() == pytest.approx(
        0.25
    )  # constants differ in the coarse level only
    laplacian_l1(x, flat).backward()
    assert x.grad.abs().sum() > 0


def test_the_laplacian_option_adds_its_term(tiny, benchmark):
    """s_rec * 10 * H^2 times the pyramid distance, beside the same loss."""
    from recollect.models.laplacian import laplacian_l1

    losses = []
    for on in (False, True):
        strategy = learn(make(tiny, benchmark, {"laplacian": on, "reconstruction_weight": 0.5}), benchmark, 1)
        images = benchmark.train_stream[0].dataset.ready_images
        strategy.is_training, strategy.experience = True, benchmark.train_stream[0]
        strategy.mbatch = [images.gather(torch.arange(5)), images.labels[:5], None]
        strategy.model.load_state_dict(weights(strategy.model) if not losses else losses[0][1])
        torch.manual_seed(1)
        strategy.mb_output = strategy.forward()
        pixels = strategy.model.decoder.pixels(strategy.mb_output)
        losses.append((strategy.training_loss().item(), weights(strategy.model)))
        extra = 0.5 * 10 * 36 * laplacian_l1(pixels, strategy.mb_x).item()
    assert losses[1][0] - losses[0][0] == pytest.approx(extra, rel=1e-4)
