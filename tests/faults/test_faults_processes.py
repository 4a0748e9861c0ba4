"""Processes that are killed, told to stop, or do the same thing at the same time."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import time
from functools import partial
from pathlib import Path

import pytest
from pipeline import SUITE, Refused, in_child, outcome, pipeline, status_of, step

from recollect.files import read_json


def test_killed_at_random_moments(
    expected: dict[str, str], tmp_path: Path, rng: random.Random, times: int
) -> None:
    """Everything from data to tables, killed without notice and started again, over and over."""

    def one_start(folder: Path, longest_s: float) -> int:
        pid = in_child(lambda: pipeline(folder))
        time.sleep(rng.uniform(0, longest_s))
        os.kill(pid, signal.SIGKILL)
        return status_of(pid)

    began = time.monotonic()
    assert status_of(in_child(lambda: pipeline(tmp_path / "whole"))) == 0
    whole_s, kills, resumed, turns = time.monotonic() - began, 0, 0, itertools.count()
    while kills < 2 * times:  # a pipeline that came to its end in spite of some is followed by a new one
        results = tmp_path / str(next(turns))
        while (status := one_start(results, whole_s)) == -signal.SIGKILL:
            kills += 1
        assert status == 0
        assert outcome(results) == expected
        resumed += sum(read_json(path, "")["resumed"] for path in results.glob("runs/*/*/*/run.json"))
    assert resumed > 0, "all kills fell beside training"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_told_to_stop(
    expected: dict[str, str], tmp_path: Path, number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    """Status 1 and a sentence within moments; the same command continues at that step."""
    results = tmp_path / "results"
    pipeline(results, ["fetch", "split"])
    pid = in_child(lambda: step("train", results))
    state, end = results / "runs/small/er/seed0/.state", time.monotonic() + 60
    while not state.is_file() and time.monotonic() < end:
        time.sleep(0.001)
    os.kill(pid, number)
    assert status_of(pid) == 1
    said = capfd.readouterr().err.strip().splitlines()[-1]
    assert f"recollect train: told to stop by {number.name}" in said
    assert said.endswith("the same command continues there")
    assert "continues at task" in step("train", results) or "before seed" in said
    pipeline(results, ["evaluate", "collect", "tables"])
    assert outcome(results) == expected


def test_the_same_runs_twice_at_once(expected: dict[str, str], tmp_path: Path, times: int) -> None:
    """Two who do not know of each other, as where a file system has no locks: both write the same."""
    for turn in range(times // 4):
        results = tmp_path / str(turn)
        pipeline(results, ["fetch", "split"])
        twins = [in_child(lambda results=results: pipeline(results)) for _ in range(2)]  # type: ignore[misc]
        assert [status_of(pid) for pid in twins] == [0, 0]
        assert outcome(results) == expected
        assert not list(results.rglob("*.partial"))


def test_a_store_locked_by_another_process(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said after a moment; the results are in files, and the same command stores them later."""
    import json

    from recollect.__main__ import main
    from recollect.steps import track
    from recollect.tracking import ingest

    uri, receipt = tmp_path / "mlflow.db", tmp_path / "receipt.json"
    ingest([], None, f"sqlite:///{uri}")

    def lock() -> None:
        connection = sqlite3.connect(uri, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        (tmp_path / "locked").touch()
        time.sleep(600)

    pid = in_child(lock)
    while not (tmp_path / "locked").exists():
        time.sleep(0.01)
    monkeypatch.setattr(track, "ingest", partial(ingest, timeout_s=0.2))
    command = ["track", "--suite", json.dumps(SUITE), "--uri", f"sqlite:///{uri}", "--receipt", str(receipt)]
    try:
        assert main([*command, "--results", str(results)]) == 1
        said = capsys.readouterr().err
        assert "is locked by another process; wait for the other run" in said
        assert said.count("\n") == 1
        assert not receipt.exists()
    finally:
        os.kill(pid, signal.SIGKILL)
        status_of(pid)
    monkeypatch.undo()
    assert main([*command, "--results", str(results)]) == 0
    assert read_json(receipt, "")["created"] == 2


@pytest.mark.parametrize("jump_s", [-1e6, 1e6])
def test_a_clock_that_jumps_while_training(
    expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """Nothing that is timed looks at the time of day."""
    results = tmp_path / "results"
    pipeline(results, ["fetch", "split"])
    now, calls = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: now() + jump_s * (next(calls) % 3))
    pipeline(results, ["train", "evaluate", "collect", "tables"])
    monkeypatch.undo()
    assert outcome(results) == expected
    for path in results.glob("runs/*/*/*/run.json"):
        assert all(0 <= seconds < 1000 for seconds in read_json(path, "")["wall_s"].values())


def test_files_from_the_future_and_from_long_ago(results: Path, expected: dict[str, str]) -> None:
    """Steps go by what is in files, not by how old they are."""
    for number, path in enumerate(sorted(results.rglob("*"))):
        moment = time.time() + (-1) ** number * 1e8
        os.utime(path, (moment, moment))
    said = pipeline(results)
    assert said.count("already finished, kept") == 2
    assert outcome(results) == expected


def test_a_refusal_is_seen_by_these_tests(results: Path) -> None:
    """The check of the check: a missing split stops the pipeline."""
    (results / "splits/small/seed0.json").unlink()
    with pytest.raises(Refused, match=r"seed0\.json is missing"):
        step("train", results)
