"""The order that any working implementation must show on real data: joint above DER++ above naive."""

import numpy as np
import pytest

from recollect.datasets import open_prepared, prepare
from recollect.engine.record import PREDICTIONS
from recollect.scenarios.manifest import SourceData, make_manifest, rows, write_manifest
from recollect.stats import mean_interval
from recollect.steps.places import Places
from recollect.steps.train import train

SEEDS = (0, 1, 2)
SCENARIO = {
    "id": "digits5",
    "datasets": ["digits"],
    "protocol": "class-incremental",
    "n_tasks": 5,
    "validation": 0.1,
}
METHODS = {
    "naive": {"train": {"lr": 0.1}, "hyper": {}},
    "derpp": {
        "train": {"lr": 0.1},
        "hyper": {"alpha": 1.0, "beta": 1.0, "buffer_size": 25, "replay_batch_size": 10},
    },
    "joint": {"train": {"lr": 0.3}, "hyper": {}},
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, tiny):
    """A results folder with prepared digits and one split per seed."""
    found = Places(tmp_path_factory.mktemp("results"))
    info = prepare("digits", None, found.data("digits"), progress=False)
    data = open_prepared(found.data("digits"))
    source = SourceData(
        "digits", info["content_sha256"], 10, 64, np.asarray(data.train_y), np.asarray(data.test_y)
    )
    for seed in SEEDS:
        write_manifest(found.split("digits5", seed), make_manifest(SCENARIO, [source], seed))
    return found


def spec(method):
    options = METHODS[method]
    settings = {"width": 50, "epochs": 8, "batch_size": 10, **options["train"]}
    return {
        "scenario": SCENARIO,
        "method": {"id": method, "file": method, "train": settings, "hyper": options["hyper"]},
        "engine": {"device": "cpu", "threads": 1},
        "code": "0",
    }


@pytest.fixture(scope="module")
def accuracies(places):
    """Final average accuracy by method and seed, counted from the stored predictions."""
    found = {}
    for method in METHODS:
        records = train(spec(method), SEEDS, places)
        assert [r["status"] for r in records] == ["ok"] * 3
        for seed in SEEDS:
            data = open_prepared(places.data("digits"))
            manifest = make_manifest(
                SCENARIO,
                [SourceData("digits", data.info["content_sha256"], 10, 64, data.train_y[:], data.test_y[:])],
                seed,
            )
            tests = [rows(manifest, task, "test") for task in range(5)]
            with np.load(places.run("digits5", method, seed) / PREDICTIONS) as stored:
                parts = np.split(stored["test"][-1], np.cumsum([len(t) for t in tests])[:-1])
            right = [(answers == data.test_y[t]).mean() for answers, t in zip(parts, tests, strict=True)]
            found.setdefault(method, {})[seed] = float(np.mean(right))
    return found


def test_joint_beats_derpp_beats_naive_with_separate_intervals(accuracies):
    joint, derpp, naive = (mean_interval(accuracies[method], seed=0) for method in ("joint", "derpp", "naive"))
    assert joint.low > derpp.high, accuracies
    assert derpp.low > naive.high, accuracies
    assert naive.mean < 0.35, "only the last two of ten classes are left"
    assert joint.mean > 0.9


def test_training_again_keeps_what_is_finished(places, accuracies, capsys):
    before = (places.run("digits5", "naive", 0) / "run.json").read_bytes()
    train(spec("naive"), SEEDS, places)
    assert capsys.readouterr().err.count("already finished, kept") == 3
    assert (places.run("digits5", "naive", 0) / "run.json").read_bytes() == before
