"""Slots of cards: never more holders than slots, whatever becomes of them; made-up cards stand for real ones."""

from __future__ import annotations

import os
import random
import signal
import stat
import time
from pathlib import Path

import pytest

from recollect.__main__ import main
from recollect.errors import RecollectError
from recollect.gpu_slots import Card, cards, hold, take

TWO = [Card("a", 8000.0), Card("b", 4000.0)]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    return {
        "RECOLLECT_GPU_SLOTS": "2", "RECOLLECT_GPU_LOCKS": str(folder), "RECOLLECT_GPU_LIST": "a:8000,b:4000",
        **changes,
    }  # fmt: skip


def test_the_emptiest_card_then_the_one_with_most_memory(tmp_path):
    held = [take(TWO, 2, tmp_path) for _ in range(5)]
    assert [slot and slot.card for slot in held] == ["a", "b", "a", "b", None]
    held[1].lock.close()
    assert take(TWO, 2, tmp_path).card == "b"


@pytest.mark.parametrize(("need_mb", "card"), [(0, "b"), (4000, "b"), (4001, "a"), (8001, None)])
def test_cards_with_too_little_free_memory_are_left_alone(tmp_path, need_mb, card):
    """Also when they have more free slots."""
    first = take(TWO, 2, tmp_path)
    assert first.card == "a"
    second = take(TWO, 2, tmp_path, need_mb)
    assert (second and second.card) == card


def test_a_card_of_unknown_memory_is_taken_at_its_word(tmp_path):
    assert take([Card("MIG-1", None)], 1, tmp_path, 10_000).card == "MIG-1"


@pytest.mark.parametrize(
    ("visible", "names"),
    [(None, ["a", "b"]), ("1", ["b"]), ("b,a", ["b", "a"]), ("MIG-7, 0", ["MIG-7", "a"]), ("", [])],
)
def test_what_the_user_lets_us_see(tmp_path, visible, names):
    seen = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert [card.name for card in cards(environment(tmp_path, **seen))] == names


def test_nvidia_smi_is_asked(tmp_path, monkeypatch):
    """Its answer in the form that we ask for."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\ntest \"$*\" = '--query-gpu=index,uuid,memory.free --format=csv,noheader,nounits'"
                    " && printf '0, GPU-aa, 81000\\n1, GPU-bb, 500\\n'\n")  # fmt: skip
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert cards({}) == [Card("GPU-aa", 81000.0), Card("GPU-bb", 500.0)]
    assert cards({"CUDA_VISIBLE_DEVICES": "GPU-b"}) == [Card("GPU-bb", 500.0)]
    tool.write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
    assert cards({}) == []


@pytest.mark.parametrize(
    ("device", "changes"),
    [
        ("cpu", {}), ("cuda:1", {}), ("auto", {"RECOLLECT_GPU_SLOTS": ""}), ("auto", {"SLURM_JOB_ID": "7"}),
        ("auto", {"RECOLLECT_GPU_LIST": ""}), ("cuda", {"CUDA_VISIBLE_DEVICES": ""}),
    ],
)  # fmt: skip
def test_nothing_is_taken_where_there_is_no_choice(tmp_path, device, changes):
    assert hold(device, environment(tmp_path, **changes)) is None


def test_a_value_that_is_no_number_is_said(tmp_path):
    with pytest.raises(
        RecollectError, match="RECOLLECT_GPU_MEM_MB is '8G' in the environment: set it to a number"
    ):
        hold("auto", environment(tmp_path, RECOLLECT_GPU_MEM_MB="8G"))


def test_waiting_is_said_once(tmp_path, monkeypatch):
    said, held = [], [take(TWO, 1, tmp_path) for _ in range(2)]
    pauses = iter([lambda: None, lambda: None, held[1].lock.close])
    monkeypatch.setattr(time, "sleep", lambda s: next(pauses)())
    slot = hold("cuda", environment(tmp_path, RECOLLECT_GPU_SLOTS="1"), said.append)
    assert slot.card == "b"
    assert said == ["waiting for a card with a free slot: 1 runs share each of them\n"]


def test_a_step_sees_its_card_alone_and_gives_it_back(tmp_path, monkeypatch, capsys):
    """Chosen before torch is loaded: the step sees the variable set."""
    for key, value in environment(tmp_path, RECOLLECT_GPU_SLOTS="1").items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    spec = '{"scenario": {"datasets": ["digits"]}, "method": {}, "code": "", "engine": {"device": "auto"}}'
    assert main(["train", "--spec", spec, "--seeds", "0", "--results", str(tmp_path / "none")]) == 1
    assert "No prepared data set" in capsys.readouterr().err
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "b"
    assert take([Card("b", None)], 1, tmp_path) is not None


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except OSError:
        return False


def contender(folder: Path, slots: int, seed: int) -> int:
    """A child that takes slots again and again, and counts itself in and out; its process number."""
    pid = os.fork()
    if pid:
        return pid
    rng = random.Random(seed)
    try:
        for _ in range(12):
            slot = take(TWO, slots, folder / "locks")
            if slot is not None:
                mine = folder / slot.card / str(os.getpid())
                mine.touch()
                holders = [path for path in (folder / slot.card).iterdir() if alive(path.name)]
                if len(holders) > slots:
                    # One that is being killed has lost its lock already, while it is still listed.
                    time.sleep(0.05)
                    killed = [path for path in holders if path.exists() and not alive(path.name)]
                    if len(holders) - len(killed) > slots:
                        os._exit(3)
                time.sleep(rng.uniform(0, 0.004))
                mine.unlink()
                slot.lock.close()
            time.sleep(rng.uniform(0, 0.002))
    except BaseException:
        os._exit(4)
    os._exit(0)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_never_more_holders_than_slots_and_none_left_after_kill_9(tmp_path, slots):
    for name in ("a", "b", "locks"):
        (tmp_path / name).mkdir()
    rng = random.Random(slots)
    for turn in range(3):
        children = [contender(tmp_path, slots, 100 * turn + n) for n in range(8)]
        victims = rng.sample(children, 4)
        for victim in victims:
            time.sleep(rng.uniform(0, 0.02))
            os.kill(victim, signal.SIGKILL)
        ends = {child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
        assert all(ends[child] == 0 for child in children if child not in victims), ends
        assert all(ends[victim] in (0, -signal.SIGKILL) for victim in victims), ends
        for name in ("a", "b"):
            for left in (tmp_path / name).iterdir():
                left.unlink()
    free = [take(TWO, slots, tmp_path / "locks") for _ in range(2 * slots + 1)]
    assert [slot is not None for slot in free] == [True] * 2 * slots + [False]
