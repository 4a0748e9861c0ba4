"""A file of every kind is cut or gets a flipped bit: that is found, or harmless, but never another number."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pipeline import STEPS, Refused, in_child, outcome, pipeline, sentence, status_of, step

RUN = "runs/small/er/seed0"
READERS = {
    "data/digits/train_x.npy": "train",
    "data/digits/test_x.npy": "train",
    "data/digits/train_y.npy": "evaluate",
    "data/digits/test_y.npy": "evaluate",
    "data/digits/dataset.json": "split",
    "splits/small/seed0.json": "train",
    f"{RUN}/run.json": "evaluate",
    f"{RUN}/predictions.npz": "evaluate",
    "metrics/small/er.json": "collect",
    "collected/s.csv": "tables",
    "tables/s/t.csv": "tables",
    "tables/s/t.html": "tables",
}
"""File -> the first step that reads or makes it anew; from there on all steps are run again."""


def damage(path: Path, rng: random.Random) -> str:
    """Flip one bit, or cut the file somewhere; says which."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    if rng.random() < 0.75:
        content[place] ^= 1 << rng.randrange(8)
        what = f"bit of byte {place} of {path.name}"
    else:
        content, what = content[:place], f"{path.name} cut at {place}"
    path.write_bytes(bytes(content))  # in place: all names of the file see it
    return what


@pytest.mark.parametrize("name", READERS)
def test_damage_is_found_or_harmless(
    results: Path, expected: dict[str, str], name: str, rng: random.Random, times: int
) -> None:
    later = list(STEPS)[list(STEPS).index(READERS[name]) :]
    path, original = results / name, (results / name).read_bytes()
    found = 0
    for _ in range(times):
        what = damage(path, rng)
        for one in later:
            try:
                step(one, results)
            except Refused as error:
                found += 1
                said = sentence(error, one)
                assert path.name in said or str(path.parent) in said, f"{what}: {said}"
                assert "delete" in said or "again" in said, f"does not say what to do: {said}"
                break
        else:
            assert outcome(results) == expected, what
        path.write_bytes(original)
    if name.startswith("tables/"):
        assert found == 0, "tables are made anew"
        step("tables", results)
        assert outcome(results) == expected
    else:
        assert found > times // 2, "most damage matters"


@pytest.mark.parametrize("name", ["data/digits/train_x.npy", "data/digits/test_y.npy", "data/digits/dataset.json"])
def test_damaged_data_are_prepared_anew(results: Path, undisturbed: Path, name: str, rng: random.Random) -> None:
    damage(results / name, rng)
    step("fetch", results)
    assert (results / name).read_bytes() == (undisturbed / name).read_bytes()


def test_what_the_sentence_says_helps(results: Path, expected: dict[str, str], rng: random.Random) -> None:
    """Delete what it names, run again: the same table."""
    import shutil

    damage(results / f"{RUN}/predictions.npz", rng)
    with pytest.raises(Refused, match="delete the folder of this run and run again"):
        step("evaluate", results)
    shutil.rmtree(results / RUN)
    pipeline(results)
    assert outcome(results) == expected


def test_a_damaged_finished_run_is_trained_again(results: Path, expected: dict[str, str], times: int) -> None:
    """Its stash is as damaged as it: both are names of one file."""
    rng = random.Random(1)
    for _ in range(times // 4):
        for stored in (results / RUN, results / RUN / ".finished"):
            damage(stored / "run.json", random.Random(rng.random()))
        said = step("train", results)
        assert said.count("already finished, kept") == 1, said
        pipeline(results, ["evaluate", "collect", "tables"])
        assert outcome(results) == expected


def test_a_damaged_state_is_told_and_not_used(
    undisturbed: Path, tmp_path: Path, expected: dict[str, str], rng: random.Random, times: int
) -> None:
    """The run starts again and comes to the same."""
    results = tmp_path / "results"
    pipeline(results, ["fetch", "split"])
    for _ in range(times // 4):
        state = interrupted(results)
        what = damage(state, rng)
        said = step("train", results)
        assert str(state) in said, what
        assert "starts from its beginning" in said, what
        pipeline(results, ["evaluate", "collect", "tables"])
        assert outcome(results) == expected
        for path in sorted(results.glob("runs/**/*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()


def interrupted(results: Path) -> Path:
    """The state of a run that was killed."""
    import os
    import signal
    import time

    state = results / RUN / ".state"
    pid = in_child(lambda: step("train", results))
    end = time.monotonic() + 60
    while not state.is_file() and time.monotonic() < end:
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    assert status_of(pid) == -signal.SIGKILL
    return state
