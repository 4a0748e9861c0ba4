"""A disk that fills up or may not be written, at any moment: one sentence, and nothing is lost afterwards."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest
from pipeline import STEPS, Refused, outcome, pipeline, sentence, small_disk, step

FULL = ("disk is full", "No space left")


def first_refusal(results: Path) -> tuple[str, str]:
    """The step that did not end well and its sentence; two empty texts if all did."""
    for name in STEPS:
        try:
            step(name, results)
        except Refused as error:
            return name, sentence(error, name)
    return "", ""


def test_full_at_random_moments(
    undisturbed: Path, expected: dict[str, str], tmp_path: Path, rng: random.Random, times: int
) -> None:
    """Disks of random sizes, from none at all to nearly enough, in bytes or in files."""
    need = sum(path.stat().st_size for path in undisturbed.rglob("*") if path.is_file())
    refused = set()
    for number in range(times):
        folder = tmp_path / str(number)
        size = f"size={rng.randrange(4096, need)}" if number % 4 else f"size=64m,nr_inodes={rng.randrange(5, 40)}"
        with small_disk(folder, size) as remount:
            results = folder / "results"
            name, said = first_refusal(results)
            if name:
                refused.add(name)
                assert any(word in said for word in FULL), said
                assert str(folder) in said
            finished = {path: path.read_bytes() for path in results.glob("runs/*/*/*/run.json")}
            remount("size=64m,nr_inodes=4096")
            pipeline(results)
            assert outcome(results) == expected, size
            assert {path: path.read_bytes() for path in finished} == finished, "a finished run was done again"
            assert not list(results.rglob("*.partial")), "temporary files are left"
    assert len(refused) > 1, f"only {refused} met a full disk"


def test_read_only_at_every_step(undisturbed: Path, expected: dict[str, str], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64m") as remount:
        results = tmp_path / "disk" / "results"
        for done, name in enumerate(STEPS):
            pipeline(results, list(STEPS)[:done])
            remount("ro")
            try:
                with pytest.raises(Refused) as error:
                    step(name, results)
                assert "ead-only file system" in sentence(error.value, name)
            finally:
                remount("rw")
        pipeline(results)
        assert outcome(results) == expected


def test_planning_says_that_results_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recollect.errors import RecollectError
    from recollect.plan import Plan

    with small_disk(tmp_path / "disk", "size=1m") as remount:
        (tmp_path / "disk" / "results").mkdir()
        monkeypatch.chdir(tmp_path / "disk")
        remount("ro")
        with pytest.raises(RecollectError, match="may not be written, results go there"):
            Plan.from_config({}, [])
        monkeypatch.chdir("/")


def test_a_disk_that_fills_up_while_a_state_is_saved_keeps_the_one_before(
    undisturbed: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    """Training stops with a sentence and goes on where the last whole state was saved."""
    with small_disk(tmp_path / "disk", "size=64m") as remount:
        results = tmp_path / "disk" / "results"
        pipeline(results, ["fetch", "split"])
        used = shutil.disk_usage(tmp_path / "disk").used
        remount(f"size={used + 60 * 1024}")  # room for one state, not for its successor beside it
        with pytest.raises(Refused) as error:
            step("train", results)
        assert any(word in sentence(error.value, "train") for word in FULL)
        states = list(results.glob("runs/*/*/*/.state"))
        remount("size=64m")
        said = step("train", results)
        assert ("continues at task" in said) == bool(states), said
        pipeline(results, ["evaluate", "collect", "tables"])
        assert outcome(results) == expected
        assert os.listdir(tmp_path / "disk") == ["results"]


def test_half_written_files_of_killed_processes_do_not_pile_up(results: Path, expected: dict[str, str]) -> None:
    """States may be large; what is younger than an hour may be another process's, which is writing now."""
    run = results / "runs/small/er/seed0"
    old = [run / ".state.abc.partial", run / ".finished/.run.json.abc.partial", run / "snapshots/.task0.x.partial"]
    young = run / ".run.json.def.partial"
    for path in (*old, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    for path in old:
        os.utime(path, (time.time() - 4000,) * 2)
    assert step("train", results).count("already finished, kept") == 2
    assert [path for path in run.rglob("*.partial") if path.is_file()] == [young]
    assert outcome(results) == expected


def test_inodes_per_run(undisturbed: Path) -> None:
    """Shared file systems count files: a finished run has two and two folders, whatever it went through."""
    runs = sorted(undisturbed.glob("runs/*/*/*"))
    inodes = {path.stat().st_ino for run in runs for path in (run, *run.rglob("*"))}
    assert len(runs) == 2
    assert len(inodes) == 4 * len(runs)
