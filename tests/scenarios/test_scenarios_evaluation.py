"""What a task is evaluated on: test images, the images trained on, or training images held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.files import canonical_json
from recollect.scenarios.manifest import PARTS, SourceData, arrays_of, make_manifest, rows, write_manifest
from recollect.scenarios.protocols import Shares, SplitError

PROTOCOLS = {
    "classes": {"protocol": "class-incremental", "n_tasks": 5, "class_order": "permuted"},
    "dirichlet": {"protocol": "dirichlet", "n_tasks": 3, "alpha": 5.0},
    "bins": {"protocol": "ordered-continuous", "n_tasks": 5},
    "shards": {"protocol": "data-incremental", "n_tasks": 4},
    "permuted": {"protocol": "permuted-pixels", "n_tasks": 3},
    "rotated": {"protocol": "rotated", "n_tasks": 3},
}
HELD = {"evaluate_on": "heldout", "heldout": 0.3}


def tables(manifest):
    n_tasks = len(manifest["tasks"])
    return [{part: set(rows(manifest, task, part).tolist()) for part in PARTS} for task in range(n_tasks)]


def without(data):
    """The same data set without a test half."""
    return SourceData(data.name, data.sha256, data.n_classes, data.n_pixels, data.train_y, data.test_y[:0])


# The default --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROTOCOLS)
def test_saying_test_is_saying_nothing(toy, name):
    scenario = {**PROTOCOLS[name], "validation": 0.1}
    plain = make_manifest(scenario, [toy.source(train=20, test=10)], 3)
    assert canonical_json(
        make_manifest({**scenario, "evaluate_on": "test"}, [toy.source(train=20, test=10)], 3)
    ) == (canonical_json(plain))
    assert not {"evaluate_on", "heldout"} & set(plain)
    assert [arrays_of(plain, part) for part in PARTS] == ["train", "train", "test"]


def test_the_extractor_does_not_change_the_split(toy):
    scenario = PROTOCOLS["classes"]
    assert make_manifest({**scenario, "extractor": "x"}, [toy.source()], 0) == make_manifest(
        scenario, [toy.source()], 0
    )


# On training images ---------------------------------------------------------------------------------------


def test_training_by_hand():
    data = SourceData(
        "toy", "abc", 4, 4, train_y=np.array([0, 1, 2, 3, 0, 1, 2, 3]), test_y=np.array([], dtype=int)
    )
    manifest = make_manifest({"protocol": "class-incremental", "n_tasks": 2, "evaluate_on": "training"}, [data], 7)
    assert (manifest["evaluate_on"], manifest["heldout"], manifest["schema"]) == ("training", 0.0, 1)
    assert [rows(manifest, task, "test").tolist() for task in (0, 1)] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert manifest["tasks"][0]["test"] == manifest["tasks"][0]["train"]
    assert [task["classes"] for task in manifest["tasks"]] == [[0, 1], [2, 3]]
    assert [arrays_of(manifest, part) for part in PARTS] == ["train"] * 3


@pytest.mark.parametrize("name", PROTOCOLS)
@given(seed=st.integers(0, 10**6), fraction=st.sampled_from([0.0, 0.25]))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_training_promises(toy, name, seed, fraction):
    scenario = {**PROTOCOLS[name], "validation": fraction}
    data = toy.source(train=20, test=10)
    found = tables(make_manifest({**scenario, "evaluate_on": "training"}, [without(data)], seed))
    plain = tables(make_manifest(scenario, [data], seed))
    assert [{**task, "test": None} for task in found] == [{**task, "test": None} for task in plain]
    assert all(task["test"] == task["train"] for task in found), "validation images are not evaluated on"


# On images held out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROTOCOLS)
@given(
    seed=st.integers(0, 10**6), fraction=st.sampled_from([0.0, 0.25]), share=st.sampled_from([0.1, 0.3, 0.5, 0.9])
)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_held_out_promises(toy, name, seed, fraction, share):
    data = toy.source(train=20, test=10)
    scenario = {**PROTOCOLS[name], "evaluate_on": "heldout", "heldout": share, "validation": fraction}
    manifest = make_manifest(scenario, [without(data)], seed)
    assert (manifest["evaluate_on"], manifest["heldout"], manifest["validation"]) == ("heldout", share, fraction)
    found = tables(manifest)
    whole = tables(make_manifest(PROTOCOLS[name], [data], seed))
    for task, all_of_it in zip(found, whole, strict=True):
        assert task["train"] | task["validation"] | task["test"] == all_of_it["train"]
        assert len(task["train"]) + len(task["validation"]) + len(task["test"]) == len(all_of_it["train"])
        for label in range(10):
            mine = [row for row in all_of_it["train"] if data.train_y[row] == label]
            held = [row for row in task["test"] if data.train_y[row] == label]
            assert len(held) == max(min(round(len(mine) * share), len(mine) - 1), 0)
    trained = set().union(*(task["train"] for task in found))
    tested = set().union(*(task["test"] for task in found))
    chosen = set().union(*(task["validation"] for task in found))
    assert not trained & tested
    assert not trained & chosen
    assert not chosen & tested


def test_held_out_rows_are_the_frozen_stream(toy):
    data = toy.source(train=10, test=1)
    manifest = make_manifest({**PROTOCOLS["bins"], **HELD}, [data], 11)
    for task in range(5):
        stream, expected = toy.stream(11, f"heldout {task}"), []
        for label in (2 * task, 2 * task + 1):
            mine = stream.permutation(np.flatnonzero(data.train_y == label).tolist())
            expected += mine[:3]
        assert rows(manifest, task, "test").tolist() == sorted(expected)


def test_held_out_rows_do_not_depend_on_validation(toy):
    found = [
        tables(make_manifest({**PROTOCOLS["classes"], **HELD, "validation": fraction}, [toy.source()], 0))
        for fraction in (0.0, 0.2)
    ]
    assert [task["test"] for task in found[0]] == [task["test"] for task in found[1]]


def test_two_data_sets_hold_out_from_each(toy):
    two = [toy.source("a", train=10), toy.source("b", train=20)]
    manifest = make_manifest({"protocol": "corpora", **HELD}, two, 0)
    first, second = tables(manifest)
    assert (len(first["test"]), len(second["test"])) == (30, 60)
    assert max(first["test"]) < 100 <= min(second["test"])


@pytest.mark.parametrize("extra", [HELD, {"evaluate_on": "training"}])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_same_inputs_same_bytes(toy, name, extra, tmp_path):
    for file in ("a.json", "b.json"):
        scenario = {**PROTOCOLS[name], **extra, "validation": 0.1}
        write_manifest(tmp_path / file, make_manifest(scenario, [toy.source(train=20, test=10)], 3))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_seed_moves_what_is_held_out(toy):
    drawn = {str(tables(make_manifest({**PROTOCOLS["bins"], **HELD}, [toy.source()], seed))) for seed in (0, 1, 2)}
    assert len(drawn) == 3


# Keys -----------------------------------------------------------------------------------------------------


def test_keys_are_read():
    assert Shares.of({}) == Shares(0.0, "test", 0.0)
    assert Shares.of({"validation": 0, "evaluate_on": "training"}) == Shares(0.0, "training", 0.0)
    assert Shares.of({"validation": 0.2, **HELD}) == Shares(0.2, "heldout", 0.3)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {"evaluate_on": "heldout"},
            "evaluate_on: heldout needs the share to hold out: add heldout, e.g. heldout: 0.3",
        ),
        ({"evaluate_on": "training", "heldout": 0.3}, "heldout has no use with evaluate_on: training: drop it"),
        ({"heldout": 0.3}, "heldout has no use with evaluate_on: test: drop it, or evaluate_on: heldout"),
    ],
)
def test_keys_that_do_not_fit_together(keys, says):
    with pytest.raises(SplitError, match=f"^{says}"):
        Shares.of(keys)
