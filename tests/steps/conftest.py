"""A results folder with a data set of eight images, a split in two tasks and finished runs."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

from recollect.datasets.store import write_info
from recollect.predictions import NO_ANSWER
from recollect.steps.places import Places
from recollect.steps.split import split

SCENARIO = {
    "id": "little",
    "title": "Little",
    "datasets": ["toy"],
    "protocol": "class-incremental",
    "n_tasks": 2,
    "validation": 0.5,
}
# Tasks {0, 1} and {2, 3}; the test labels of the two tasks, one after another, are 1 0 3 2.
TEST = [[NO_ANSWER] * 4, [1, 0, 0, 1], [0, 0, 3, 2]]
# Of each class one image is held out, which one depends on the seed: after the last task half are right.
VALIDATION = [[NO_ANSWER] * 4, [0, 1, 0, 0], [1, 1, 2, 2]]


def write_data(folder, name="toy", content="toy-content"):
    folder.mkdir(parents=True)
    train_y, test_y = np.array([0, 1, 2, 3, 0, 1, 2, 3]), np.array([3, 1, 2, 0])
    arrays = {"train_y": train_y, "test_y": test_y}
    arrays |= {f"{half}_x": np.zeros((len(arrays[f"{half}_y"]), 1, 2, 3), np.uint8) for half in ("train", "test")}
    for key, array in arrays.items():
        np.save(folder / f"{key}.npy", array)
    info = {
        "schema": 1, "dataset": name, "title": name, "n_classes": 4, "input_shape": [1, 2, 3],
        "train": {"n": 8}, "test": {"n": 4}, "content_sha256": content, "verified": "", "source": "", "files": [],
    }  # fmt: skip
    write_info(info, folder / "dataset.json")


def write_run(places, scenario, method, seed, status="ok", reason="", **changes):
    folder = places.run(scenario, method, seed)
    folder.mkdir(parents=True, exist_ok=True)
    streams = {"test": changes.pop("test", TEST), "validation": changes.pop("validation", VALIDATION)}
    stored = {name: np.array(rows, np.int16) for name, rows in streams.items() if rows is not None}
    np.savez(folder / "predictions.npz", **stored)
    digest = hashlib.sha256((folder / "predictions.npz").read_bytes()).hexdigest()
    record = {
        "seed": seed, "status": status, "reason": reason, "predictions_sha256": digest,
        "split_sha256": json.loads(places.split(scenario, seed).read_text())["sha256"],
        "wall_s": {"train": 1.5, "evaluate": 9.0}, "device_s": {"train": 0.5}, "vram_mb": None, "ram_mb": 10.0,
        "carried_bytes": [0, 7, 5], "parameters": 12, "it_per_s": 100.0,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps({**record, **changes}))
    return folder


@pytest.fixture
def places(tmp_path):
    found = Places(tmp_path / "results")
    write_data(found.data("toy"))
    split(SCENARIO, [0, 1, 2], found)
    return found


@pytest.fixture
def made(places):
    """The makers of data sets and runs."""

    def run(method, seed, **changes):
        return write_run(places, "little", method, seed, **changes)

    return SimpleNamespace(scenario=SCENARIO, data=write_data, run=run)


@pytest.fixture
def suite():
    return {
        "suite": "s", "scenarios": ["little"], "methods": ["a", "b"], "seeds": [0, 1], "confidence": 0.95,
        "n_resamples": 200, "labels": {"a": "A", "b": "B"},
        "tables": [
            {
                "id": "t", "title": "T", "scenarios": ["little"], "methods": ["a", "b"], "reference": None,
                "note": "", "metrics": ["avg_acc_unweighted"], "labels": {"a": "A", "b": "B"},
            }
        ],
    }  # fmt: skip
