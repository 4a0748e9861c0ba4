"""Killed anywhere and resumed, a run ends bit for bit as if nothing had happened; so do runs in one process."""

import random

import numpy as np
import pytest
import torch
from killing import Killed, final

from recollect.engine import monitor, runner, state
from recollect.engine.predict import predict
from recollect.engine.record import PREDICTIONS, RUN, STATE, npz_bytes
from recollect.engine.seeding import rng_state
from recollect.engine.strategy import Strategy
from recollect.files import read_json

METHODS = {
    "naive": ("naive", {}, {}),
    "naive momentum iterations": ("naive", {}, {"momentum": 0.9, "iterations": 9}),
    "naive adam reset": ("naive", {}, {"optimizer": "adam", "lr": 0.01, "reset_optimizer": True}),
    "cnn crop_flip": ("naive", {}, {"model": "cnn", "width": 2, "augmentation": "crop_flip", "momentum": 0.9}),
    "joint": ("joint", {}, {}),
    "joint iterations adam": ("joint", {}, {"iterations": 8, "optimizer": "adam"}),
    "cumulative": ("cumulative", {}, {"momentum": 0.9}),
    "ewc exact": ("ewc", {"lam": 10.0}, {}),
    "ewc online batched": (
        "ewc",
        {"lam": 5.0, "mode": "online", "gamma": 0.9, "fisher": "batched"},
        {"momentum": 0.5},
    ),
    "ewc empirical cnn": (
        "ewc",
        {"lam": 5.0, "fisher": "empirical", "fisher_samples": 7},
        {"model": "cnn", "width": 2},
    ),
    "lwf": ("lwf", {"temperature_squared": True}, {"optimizer": "adam", "lr": 0.01}),
    "er": ("er", {"buffer_size": 9, "replay_batch_size": 4}, {"augmentation": "crop_flip"}),
    "derpp": ("derpp", {"buffer_size": 9, "replay_batch_size": 4}, {"momentum": 0.9, "iterations": 9}),
    "der": ("derpp", {"buffer_size": 9, "replay_batch_size": 4, "beta": 0.0}, {}),
    "generative_replay": (
        "generative_replay",
        {"vae_latent": 2, "vae_width": 6},
        {"optimizer": "adam", "lr": 0.01},
    ),
    "generative_replay conv": ("generative_replay", {"vae": "conv", "vae_latent": 2, "vae_width": 2}, {}),
    "adapt_align_vae": (
        "adapt_align_vae",
        {"latent": 2, "binary": 2, "gen_d": 2, "global_epochs": 7, "gamma": 0.3, "candidates": 6},
        {"epochs": 6, "lr": 0.01, "weight_decay": 1e-5},
    ),
    "adapt_align_gan": (
        "adapt_align_gan",
        {"latent": 4, "features": 2, "global_epochs": 7, "critic_steps": 2},
        {"epochs": 4, "lr": 0.001},
    ),
    "adapt_align_gan inversion": (
        "adapt_align_gan",
        {"latent": 4, "features": 2, "global_epochs": 7, "current": "inversion", "inversion_steps": 3},
        {"epochs": 2, "lr": 0.001},
    ),
    "adapt_align_classifier": (
        "adapt_align_classifier",
        {"latent": 2, "gen_d": 2, "global_epochs": 6, "feature_epochs": 3, "head_epochs": 2},
        {"epochs": 6, "lr": 0.01},
    ),
    "adapt_align_classifier gan": (
        "adapt_align_classifier",
        {
            "generator": "gan",
            "latent": 4,
            "gan_features": 2,
            "global_epochs": 6,
            "feature_epochs": 2,
            "head_epochs": 2,
        },
        {"epochs": 3, "lr": 0.001},
    ),
    "vae_replay": ("vae_replay", {"latent": 2, "binary": 2, "gen_d": 2}, {"epochs": 4, "weight_decay": 1e-5}),
    "vae_replay joint": ("vae_replay", {"latent": 2, "binary": 2, "gen_d": 2, "data": "joint"}, {"epochs": 8}),
    "cope": ("cope", {"features": 4, "per_class": 3, "steps_per_batch": 2}, {"momentum": 0.9}),
}


@pytest.fixture(scope="module")
def small(tiny):
    return tiny.benchmark()


@pytest.fixture(scope="module")
def square(tiny):
    return tiny.benchmark(shape=(1, 8, 8))


@pytest.fixture
def benchmark(request, small, square):
    """Networks of GANs exist for some image sizes only."""
    method = request.node.callspec.params.get("method", "") if hasattr(request.node, "callspec") else ""
    return square if "gan" in str(method) else small


@pytest.fixture
def saving_often(monkeypatch):
    """Losses are looked at, and state saved, every third step instead of every fiftieth."""
    monkeypatch.setattr(monitor, "CHECK_EVERY", 3)


def die_before(run, owner, name):
    """Kill a run where it would call ``owner.name``."""

    def dying(*arguments, **options):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Killed):
            run.run()


def steps_of(make, folder):
    """A whole run and the number of optimizer steps it takes."""
    count = 0
    step = Strategy.optimizer_step

    def counting(self):
        nonlocal count
        count += 1
        step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Strategy, "optimizer_step", counting)
        run = make(folder)
        return final(run, run.run()), count


def killed_at(make, folder, places):
    """Run into a kill before or after the given steps of each attempt, then to the end; also what was said."""
    step = Strategy.optimizer_step
    said = []
    for place, before in [*places, (None, False)]:
        count = 0

        def dying(self, place=place, before=before):
            nonlocal count
            count += 1
            if count == place and before:
                raise Killed
            step(self)
            if count == place:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Strategy, "optimizer_step", dying)
            run = make(folder)
            run.progress.say = lambda text, transient=False: said.append(text)
            try:
                record = run.run()
            except Killed:
                continue
    return final(run, record), record, said


@pytest.mark.parametrize("method", METHODS)
def test_killed_and_resumed_equals_uninterrupted(tiny, benchmark, tmp_path, saving_often, method):
    name, hyper, train = METHODS[method]

    def make(folder):
        return tiny.runner(folder, name, benchmark, hyper=hyper, save_every_s=0.0, **train)

    expected, steps = steps_of(make, tmp_path / "whole")
    draw = random.Random(method)
    for attempt in range(2):
        places = [(draw.randint(5, max(5, steps // 2)), draw.random() < 0.5) for _ in range(2)]
        found, record, said = killed_at(make, tmp_path / str(attempt), places)
        assert record["resumed"] == 2, said
        assert sum("continues at task" in line for line in said) == 2
        assert tiny.difference(expected, found) == "", places


@pytest.mark.parametrize("step", range(1, 24))
def test_every_single_step_can_be_the_last(tiny, benchmark, tmp_path, saving_often, step):
    """All steps of one run of DER++ with momentum: middle of an epoch, its end, the middle and end of a task."""

    def make(folder):
        return tiny.runner(folder, "derpp", benchmark, hyper={"buffer_size": 9}, save_every_s=0.0, momentum=0.9)

    key = "expected_derpp"
    if not hasattr(benchmark, key):
        setattr(benchmark, key, steps_of(make, tmp_path / "whole"))
    expected, steps = getattr(benchmark, key)
    assert steps == 24
    found, record, _ = killed_at(make, tmp_path / "killed", [(step, False)])
    assert record["resumed"] == (1 if step > 3 else 0)
    assert tiny.difference(expected, found) == ""


@pytest.mark.parametrize("place", ["predict", "save_state", "save_snapshot"])
@pytest.mark.parametrize("occurrence", [1, 2, 3])
def test_killed_between_tasks(tiny, benchmark, tmp_path, place, occurrence):
    """While predicting, while saving, while writing the generator's snapshot."""
    hyper = {"vae_latent": 2, "vae_width": 6}

    def make(folder):
        return tiny.runner(folder, "generative_replay", benchmark, hyper=hyper)

    whole = make(tmp_path / "whole")
    expected = final(whole, whole.run())
    count = 0
    original = getattr(runner, place)

    def dying(*arguments, **options):
        nonlocal count
        count += 1
        if count == occurrence:
            raise Killed
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, place, dying)
        for _ in range(2):
            run = make(tmp_path / "killed")
            try:
                record = run.run()
                break
            except Killed:
                continue
    assert count >= min(occurrence, 2)
    assert tiny.difference(expected, final(run, record)) == ""


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_half_written_state_is_told_and_the_run_starts_anew(tiny, benchmark, tmp_path, saving_often, share):
    def make(folder):
        return tiny.runner(folder, "er", benchmark, save_every_s=0.0)

    expected, _ = steps_of(make, tmp_path / "whole")
    die_before(make(tmp_path / "killed"), Strategy, "_after_training_exp")
    file = tmp_path / "killed" / STATE
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    found, record, said = killed_at(make, tmp_path / "killed", [])
    assert record["resumed"] == 0
    assert any("damaged or incomplete" in line and str(file) in line for line in said)
    assert tiny.difference(expected, found) == ""


def test_a_foreign_state_is_told_and_not_used(tiny, benchmark, tmp_path, saving_often):
    die_before(
        tiny.runner(tmp_path, "naive", benchmark, save_every_s=0.0, lr=0.01), Strategy, "_after_training_exp"
    )
    assert (tmp_path / STATE).is_file()
    run = tiny.runner(tmp_path, "naive", benchmark, save_every_s=0.0, lr=0.02)
    said = []
    run.progress.say = lambda text, transient=False: said.append(text)
    record = run.run()
    assert record["resumed"] == 0
    assert any("another configuration" in line for line in said)
    fresh = tiny.runner(tmp_path / "fresh", "naive", benchmark, lr=0.02)
    assert tiny.difference(final(fresh, fresh.run()), final(run, record)) == ""


@pytest.mark.parametrize("method", ["naive", "ewc exact", "generative_replay", "cope", "cnn crop_flip"])
def test_seeds_in_one_process_equal_separate_runs(tiny, benchmark, tmp_path, method):
    name, hyper, train = METHODS[method]

    def run(folder, seed):
        one = tiny.runner(folder, name, benchmark, hyper=hyper, seed=seed, **train)
        return final(one, one.run())

    together = [run(tmp_path / f"together{seed}", seed) for seed in (3, 4)]
    torch.manual_seed(12345)  # a process of its own has another past
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    alone = run(tmp_path / "alone", 4)
    assert tiny.difference(together[1], alone) == ""
    head = "model"
    assert tiny.difference(together[0]["state"][head], together[1]["state"][head])


@pytest.mark.parametrize("method", METHODS)
def test_evaluation_on_or_off_gives_the_same_weights(tiny, benchmark, tmp_path, method):
    name, hyper, train = METHODS[method]
    states = []
    for streams in ((), ("test", "validation")):
        run = tiny.runner(tmp_path / str(len(streams)), name, benchmark, hyper=hyper, streams=streams, **train)
        run.run()
        states.append(run.strategy.state_dict())
        with np.load(run.folder / PREDICTIONS) as stored:
            assert sorted(stored.files) == (sorted(streams) if run.strategy.classifies else [])
    assert tiny.difference(*states) == ""


def test_saving_or_not_gives_the_same_weights(tiny, benchmark, tmp_path, saving_often):
    ends = []
    for every in (0.0, 1e9):
        run = tiny.runner(tmp_path / str(every), "derpp", benchmark, save_every_s=every)
        ends.append(final(run, run.run()))
    assert tiny.difference(*ends) == ""


def test_the_run_file_says_what_was_done(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "naive", benchmark, streams=("test", "validation"))
    record = run.run()
    stored = read_json(tmp_path / RUN, "")
    assert {key: stored[key] for key in record} == record
    assert (stored["status"], stored["reason"], stored["seed"]) == ("ok", "", 0)
    assert stored["stamp"] == run.stamp
    assert stored["iterations"] == 3 * 2 * 4
    assert stored["parameters"] == 36 * 8 + 8 + 8 * 6 + 6
    assert set(stored["wall_s"]) >= {"train", "evaluate", "save"}
    assert not (tmp_path / STATE).exists()
    with np.load(tmp_path / PREDICTIONS) as rows:
        for name in ("test", "validation"):
            assert rows[name].dtype == np.int16
            assert rows[name].shape == (4, sum(len(e.dataset) for e in benchmark.streams[name]))
            assert (rows[name][0] == -1).all(), "before the first task no class may answer"
        for task in range(3):
            seen = benchmark.train_stream[task].classes_in_this_experience
            assert rows["test"][task + 1].max() <= 2 * task + 1
            assert np.isin(seen, rows["test"][task + 1]).any()


def test_predictions_are_the_models_answers(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "naive", benchmark)
    run.run()
    with np.load(tmp_path / PREDICTIONS) as rows:
        last = rows["test"][-1]
    images = [e.dataset.ready_images for e in benchmark.test_stream]
    answers = [run.strategy.model(i.gather(torch.arange(len(i)))).argmax(1) for i in images]
    assert last.tolist() == torch.cat(answers).tolist()


def test_predicting_disturbs_nothing(tiny, benchmark):
    """Even where answering draws random numbers: random states and every module's mode are put back."""
    strategy = tiny.strategy("naive", benchmark)
    strategy.outputs.observe([0, 1])
    strategy.model.train()
    strategy.model.features.eval()
    modes = [module.training for module in strategy.model.modules()]
    drawn = []

    def scores(x):
        assert not any(module.training for module in strategy.model.modules())
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))  # noqa: NPY002
        return strategy.model(x)

    strategy.scores = scores
    states = [rng_state()]
    for _ in range(2):
        predict(strategy, benchmark.test_stream[0].dataset.ready_images, strategy.outputs, 0)
        states.append(rng_state())
    assert len(drawn) == 2
    assert drawn[0] == drawn[1]
    assert tiny.difference(states[0], states[1]) == tiny.difference(states[0], states[2]) == ""
    assert [module.training for module in strategy.model.modules()] == modes


@pytest.mark.parametrize("missing", [[RUN], [PREDICTIONS], [RUN, PREDICTIONS]])
def test_a_finished_run_comes_back_from_the_stash(tiny, benchmark, tmp_path, missing):
    record = tiny.runner(tmp_path, "er", benchmark).run()
    content = {name: (tmp_path / name).read_bytes() for name in (RUN, PREDICTIONS)}
    for name in missing:
        (tmp_path / name).unlink()
    again = tiny.runner(tmp_path, "er", benchmark)
    found = again.run()
    assert not hasattr(again, "strategy"), "nothing was trained"
    assert {key: found[key] for key in record} == record
    assert {name: (tmp_path / name).read_bytes() for name in (RUN, PREDICTIONS)} == content


@pytest.mark.parametrize("damage", ["stamp", "predictions", "json"])
def test_a_stash_that_does_not_hold_is_not_used(tiny, benchmark, tmp_path, damage):
    tiny.runner(tmp_path, "er", benchmark).run()
    if damage == "predictions":
        (tmp_path / ".finished" / PREDICTIONS).write_bytes(npz_bytes({"test": np.zeros(3)}))
    if damage == "json":
        (tmp_path / ".finished" / RUN).write_text("{")
    again = tiny.runner(tmp_path, "er", benchmark, lr=0.07 if damage == "stamp" else 0.05)
    again.run()
    assert hasattr(again, "strategy"), "it was trained again"
    assert read_json(tmp_path / RUN, "")["stamp"] == again.stamp


def test_a_plugin_whose_state_cannot_be_saved_makes_the_run_start_again(tiny, benchmark, tmp_path, saving_often):
    """Honest: no state is written rather than an incomplete one. Stock Avalanche strategies go this way."""
    die_before(tiny.runner(tmp_path, "naive_avalanche", benchmark, save_every_s=0.0), runner, "finish")
    assert not (tmp_path / STATE).exists()
    assert tiny.runner(tmp_path, "naive_avalanche", benchmark).run()["resumed"] == 0


def test_state_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / STATE
    state.save_state(file, "stamp", {"a": torch.arange(3)})
    before = file.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recollect.files.os.fsync", full)
    with pytest.raises(Exception, match="disk is full"):
        state.save_state(file, "stamp", {"a": torch.arange(30)})
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [STATE]
