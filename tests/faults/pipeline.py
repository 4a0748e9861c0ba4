"""The whole way from data to a table within this process, which pays for imports once; and what disturbs it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from recollect.__main__ import main
from recollect.files import sha256_file
from recollect.steps.places import Places

SCENARIO = {
    "id": "small", "title": "Small", "datasets": ["digits"], "protocol": "class-incremental", "n_tasks": 2,
    "validation": 0.1,
}  # fmt: skip
TRAIN = {"epochs": 2, "batch_size": 32, "lr": 0.05, "width": 16, "depth": 1, "optimizer": "sgd"}
SPEC = {
    "scenario": SCENARIO, "code": "0", "engine": {"device": "cpu", "threads": 1},
    "method": {"id": "er", "file": "er", "train": TRAIN, "hyper": {"buffer_size": 20, "replay_batch_size": 8}},
}  # fmt: skip
SEEDS = ["0", "1"]
SUITE = {
    "suite": "s", "scenarios": ["small"], "methods": ["er"], "seeds": [0, 1], "confidence": 0.95,
    "n_resamples": 100, "labels": {"er": "ER"},
    "tables": [
        {
            "id": "t", "title": "T", "scenarios": ["small"], "methods": ["er"], "reference": None, "note": "",
            "metrics": ["avg_acc_unweighted", "forgetting_max"], "labels": {"er": "ER"},
        }
    ],
}  # fmt: skip
STEPS: dict[str, list[str]] = {
    "fetch": ["digits", "--data-dir", "data"],
    "split": ["--scenario", json.dumps(SCENARIO), "--seeds", *SEEDS],
    "train": ["--spec", json.dumps(SPEC), "--seeds", *SEEDS, "--save-every", "0"],
    "evaluate": ["small", "er", "--seeds", *SEEDS],
    "collect": ["--suite", json.dumps(SUITE)],
    "tables": ["--suite", json.dumps(SUITE)],
}
"""Step -> its arguments, in the order of the workflow."""


class Refused(Exception):  # noqa: N818 - an end, not a bug
    """A step ended with status 1; the text is what it said."""


def step(name: str, results: Path) -> str:
    """What the step says; raises Refused if it does not end well, anything else only for a bug."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = main([name, "--results", str(results), *STEPS[name]])
    if status:
        raise Refused(said.getvalue())
    return said.getvalue()


def pipeline(results: Path, steps: Sequence[str] = tuple(STEPS)) -> str:
    """All steps; what they said."""
    return "".join(step(name, results) for name in steps)


def sentence(error: Refused, name: str) -> str:
    """The one line that a refused step ended with."""
    last = str(error).strip().splitlines()[-1]
    assert last.startswith(f"recollect {name}: "), str(error)
    assert "Traceback" not in str(error)
    return last


def outcome(results: Path) -> dict[str, str]:
    """Hash of every table and of the predictions of every run."""
    places = Places(results)
    files = [*sorted(places.tables("s").glob("t.*")), *sorted(results.glob("runs/*/*/*/predictions.npz"))]
    return {str(path.relative_to(results)): sha256_file(path) for path in files}


def in_child(work: Callable[[], object]) -> int:
    """The process number of a forked child that does the work and exits: 0, 1 for Refused, 2 for a bug."""
    pid = os.fork()
    if pid:
        return pid
    status = 2
    try:
        work()
        status = 0
    except Refused as error:
        sys.stderr.write(str(error))
        status = 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def status_of(pid: int) -> int:
    """Exit status of a child; minus the signal if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """A file system of its own in a folder; yields what mounts it again with other options. Skips without root."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root and mount")
    try:
        yield lambda new: subprocess.run(["mount", "-o", f"remount,{new}", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
