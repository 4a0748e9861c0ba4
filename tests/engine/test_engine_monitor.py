"""Divergence, saving, bad states, absent devices; and that the inner loop never waits for the device."""

import pickle
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from recollect.engine import monitor as module
from recollect.engine.device import choose_device
from recollect.engine.monitor import CHECK_EVERY, Diverged, Monitor
from recollect.engine.record import PREDICTIONS, STATE
from recollect.engine.state import _MAGIC, load_state, save_state, tensor_bytes, to_device
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.files import read_json


class Silent:
    """A progress display that shows nothing."""

    def epoch(self, *arguments):
        """Ignore."""

    def step(self, *arguments):
        """Ignore."""


def watching(losses, save_every_s=1e9, saved=None):
    """A monitor that has seen these losses."""
    saved = [] if saved is None else saved
    monitor = Monitor(Silent(), lambda: saved.append(monitor.steps), save_every_s)
    monitor.start_task(1)
    for loss in losses:
        monitor.after_training_iteration(SimpleNamespace(loss=torch.as_tensor(loss)))
    return monitor


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("position", [0, 7, 49])
def test_the_first_bad_loss_is_named(bad, position):
    losses = [1.0] * CHECK_EVERY
    losses[position:] = [bad] * (CHECK_EVERY - position)
    with pytest.raises(Diverged) as caught:
        watching([*[1.0] * CHECK_EVERY, *losses])
    assert (caught.value.task, caught.value.step) == (1, CHECK_EVERY + position + 1)
    assert f"task 1, step {CHECK_EVERY + position + 1}" in str(caught.value)


@pytest.mark.parametrize(
    ("epoch_s", "save_s", "first", "later"),
    [
        (60.0, 0.1, (60, 61), (60, 61)),  # every epoch: no more than one is ever lost
        (1.0, 0.01, (5, 6.1), (5, 6.1)),  # short epochs: every five seconds
        (1.0, 0.2, (5, 6.1), (20, 21.4)),  # and a hundredth of the time at most
        (60.0, 2.9, (60, 61), (290, 303)),  # a state that takes long
        (60.0, 20.0, (60, 61), (300, 325)),  # or very long: as often as within an epoch
        (900.0, 0.1, (300, 305.2), (290, 305.2)),  # a long epoch: within it
    ],
)
def test_time_between_saves(monkeypatch, epoch_s, save_s, first, later):
    """A made-up clock; a step takes a tenth of a second."""
    clock, saved = [1000.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def save():
        saved.append(clock[0])
        clock[0] += save_s

    monitor = Monitor(Silent(), save, 300.0)
    monitor.start_task(0)
    while len(saved) < 4:
        for _ in range(round(epoch_s / 0.1)):
            clock[0] += 0.1
            monitor.after_training_iteration(SimpleNamespace(loss=torch.ones(())))
        monitor.after_training_epoch(SimpleNamespace())
    gaps = np.diff([1000.0, *saved])
    assert first[0] - 0.01 <= gaps[0] <= first[1]
    assert all(later[0] <= gap - save_s + 0.01 and gap <= later[1] for gap in gaps[1:]), gaps


def test_losses_are_looked_at_every_50_steps_only(monkeypatch):
    looks = []
    finite = torch.isfinite
    monkeypatch.setattr(module.torch, "isfinite", lambda t: looks.append(len(t)) or finite(t))
    monitor = watching([1.0] * 120)
    assert CHECK_EVERY == 50
    assert looks == [50, 50]
    monitor.after_training_epoch(SimpleNamespace())
    monitor.after_training_epoch(SimpleNamespace())
    assert looks == [50, 50, 20]
    assert monitor.steps == 120


def test_state_is_saved_no_more_often_than_asked(monkeypatch):
    clock, saved = [0.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monitor = watching([1.0] * CHECK_EVERY, 10.0, saved)
    assert saved == []
    for now in (9.0, 10.0, 15.0, 19.9, 20.0, 100.0):
        clock[0] = now
        for _ in range(CHECK_EVERY):
            monitor.after_training_iteration(SimpleNamespace(loss=torch.tensor(1.0)))
    assert saved == [150, 300, 350], "at 10, 20 and 100 seconds"


def test_a_state_with_a_bad_loss_is_never_saved():
    saved = []
    with pytest.raises(Diverged):
        watching([1.0] * 49 + [float("nan")], 0.0, saved)
    assert saved == []


def test_a_diverged_run_is_recorded_with_task_step_and_reason(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECK_EVERY", 3)
    step, count = Strategy.training_loss, 0

    def exploding(self):
        nonlocal count
        count += 1
        return step(self) * (float("nan") if count >= 14 else 1.0)

    monkeypatch.setattr(Strategy, "training_loss", exploding)
    run = tiny.runner(tmp_path, "naive", tiny.benchmark())
    said = []
    run.progress.say = lambda text, transient=False: said.append(text)
    record = run.run()
    assert record["status"] == "diverged"
    assert record["reason"].startswith("diverged: the loss is not finite at task 1, step 6")
    assert read_json(tmp_path / "run.json", "")["reason"] == record["reason"]
    assert any("not finite" in line for line in said)
    assert not (tmp_path / STATE).exists()
    with np.load(tmp_path / PREDICTIONS) as rows:
        assert (rows["test"][:2] != -2).all(), "what finished before is kept"
        assert (rows["test"][2:] == -2).all()
    again = tiny.runner(tmp_path, "naive", tiny.benchmark())
    assert again.run()["status"] == "diverged"
    assert not hasattr(again, "strategy"), "it is not trained again"


def test_a_real_divergence_is_noticed(tiny, tmp_path):
    record = tiny.runner(tmp_path, "naive", tiny.benchmark(), lr=1e30).run()
    assert record["status"] == "diverged"
    assert "lower the learning rate" in record["reason"]


def test_a_diverging_generator_is_noticed(tiny, tmp_path):
    record = tiny.runner(
        tmp_path, "generative_replay", tiny.benchmark(), hyper={"vae_lr": 1e30, "vae_latent": 2, "vae_width": 4}
    ).run()
    assert record["status"] == "diverged"
    assert "task 0" in record["reason"], "at once, not when its images reach the solver"


class Waits(TorchDispatchMode):
    """Counts what makes the host wait for the device: values read, shapes that depend on values."""

    BLOCKING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero", "equal")

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_") and any(
            t is not None and t.dtype == torch.bool for t in args[1]
        )
        self.count += masks or name in self.BLOCKING
        return func(*args, **(kwargs or {}))


def waits(tiny, method, hyper, epochs):
    """Waits of two tasks of training with a monitor, the second with everything that older tasks add."""
    benchmark = tiny.benchmark()
    strategy = tiny.strategy(method, benchmark, hyper, epochs=epochs, batch_size=2)
    strategy.plugins.append(Monitor(Silent(), lambda: None, 1e9))
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    # Epochs draw one seed each; here one epoch of many or few batches is compared instead.
    strategy.train_mb_size = 18 // epochs
    strategy.train_epochs = 1
    with Waits() as counted:
        strategy.train(benchmark.train_stream[1], eval_streams=[])
    return counted.count, strategy.clock.train_exp_iterations


@pytest.mark.parametrize(
    ("method", "hyper"),
    [
        ("naive", {}),
        ("ewc", {"lam": 1.0}),
        ("lwf", {}),
        ("er", {"replay_batch_size": 4}),
        ("derpp", {"replay_batch_size": 4}),
        ("generative_replay", {"vae_latent": 2, "vae_width": 4}),
    ],
)
def test_no_step_waits_for_the_device(tiny, method, hyper):
    """An epoch of 9 steps waits as often as one of 2: per epoch and task, not per step."""
    many, few = waits(tiny, method, hyper, 9), waits(tiny, method, hyper, 2)
    assert (many[1], few[1]) == (9, 2)
    assert many[0] == few[0]


def test_the_counter_of_waits_counts():
    with Waits() as counted:
        x = torch.arange(3.0)
        float(x[0])
        x[x > 1]
        bool(x.sum() > 0)
    assert counted.count == 3


def test_cuda_asked_for_and_absent_is_one_sentence(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for wanted in ("cuda", "cuda:3"):
        with pytest.raises(RecollectError, match="set device to auto or cpu") as caught:
            choose_device(wanted)
        assert wanted in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(RecollectError, match="auto, cpu, cuda"):
        choose_device("gpu")
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(RecollectError, match="no CUDA device"):
        tiny.runner(tmp_path, "naive", tiny.benchmark(), device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


def test_a_state_round_trip_keeps_every_bit(tmp_path, tiny):
    state = {
        "t": torch.randn(3, 4), "u": torch.arange(5, dtype=torch.uint8), "n": [1, 2.5, None, "x", True],
        "deep": {"empty": torch.zeros(0, 3), "pair": (1, torch.ones(1, dtype=torch.float64))},
    }  # fmt: skip
    save_state(tmp_path / "s", "stamp", state)
    loaded, problem = load_state(tmp_path / "s", "stamp")
    assert problem == ""
    assert tiny.difference(state, loaded) == ""
    assert load_state(tmp_path / "absent", "stamp") == (None, "")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "head only", "appended"])
def test_a_damaged_state_is_named_and_not_used(tmp_path, damage):
    file = tmp_path / "state"
    save_state(file, "stamp", {"t": torch.arange(1000)})
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    damaged = {
        "truncated": content[:-10], "flipped": content, "empty": b"", "text": b"hello", "head only": content[:22],
        "appended": content + b"x",
    }[damage]  # fmt: skip
    file.write_bytes(damaged)
    state, problem = load_state(file, "stamp")
    assert state is None
    assert str(file) in problem
    assert "starts from its beginning" in problem


def test_every_flipped_byte_is_found(tmp_path):
    file = tmp_path / "state"
    save_state(file, "stamp", {"a": 1})
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 0x40
        file.write_bytes(bytes(changed))
        assert load_state(file, "stamp")[0] is None


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_malicious_state_is_refused_with_a_sentence(tmp_path):
    """Right head, right checksum, but a pickle that would run code: not run, told, and the run starts anew."""
    import io
    import zlib

    file, victim = tmp_path / "state", tmp_path / "victim"
    saved = io.BytesIO()
    torch.save({"stamp": "stamp", "state": Bomb(victim)}, saved)
    for body in (saved.getvalue(), pickle.dumps({"stamp": "stamp", "state": Bomb(victim)}), b"no archive at all"):
        file.write_bytes(_MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)
        state, problem = load_state(file, "stamp")
        assert state is None
        assert str(file) in problem
        assert not victim.exists()


def test_bytes_of_tensors_are_counted_without_optimizers():
    value = {
        "a": torch.zeros(3, 4), "optimizer": {"state": torch.zeros(100)}, "b": [torch.zeros(2, dtype=torch.uint8)],
        "c": ({"optimizer": torch.zeros(9), "d": torch.zeros(1, dtype=torch.float64)}, 5, "x"),
    }  # fmt: skip
    assert tensor_bytes(value) == 3 * 4 * 4 + 2 + 8


def test_moving_a_state_keeps_its_shape():
    value = {"a": [torch.ones(2), (1, "x")], "b": None}
    moved = to_device(value, torch.device("meta"))
    assert moved["a"][0].device.type == "meta"
    assert moved["a"][1] == (1, "x")
    assert moved["b"] is None


def test_progress_lines_tell_task_epoch_rate_and_eta(tiny, tmp_path, capsys, monkeypatch):
    """Plain lines in a log; patience is turned off so that even this short run shows one."""
    monkeypatch.setattr("recollect.engine.progress.LINE_EVERY_S", 0.0)
    monkeypatch.setattr(module, "CHECK_EVERY", 2)
    before = time.monotonic()
    tiny.runner(tmp_path, "naive", tiny.benchmark()).run()
    assert time.monotonic() - before < 60
    lines = capsys.readouterr().err.splitlines()
    assert any("task 2/3, epoch 1/2" in line and "it/s" in line and "ETA" in line for line in lines)
    assert not any("\r" in line for line in lines)
