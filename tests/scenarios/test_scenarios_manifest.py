"""The manifest: what every protocol promises of its rows, one frozen byte sequence, and a hash that guards it."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.errors import RecollectError
from recollect.scenarios.manifest import (
    PARTS,
    SourceData,
    label_offsets,
    make_manifest,
    read_manifest,
    rows,
    write_manifest,
)
from recollect.scenarios.protocols import SplitError

SCENARIOS = {
    "fixed": {"protocol": "class-incremental", "n_tasks": 5},
    "permuted order": {"protocol": "class-incremental", "n_tasks": 5, "class_order": "permuted"},
    "given order": {"protocol": "class-incremental", "n_tasks": 2, "class_order": [9, 1, 4, 6]},
    "large first task": {"protocol": "class-incremental", "n_tasks": 6, "first_task_classes": 5},
    "uneven": {"protocol": "class-incremental", "n_tasks": 3, "classes_per_task": [1, 2, 7]},
    "remainder": {"protocol": "class-incremental", "n_tasks": 3, "drop_remainder": True},
    "task-incremental": {"protocol": "task-incremental", "n_tasks": 5},
    "permuted pixels": {"protocol": "permuted-pixels", "n_tasks": 4},
    "rotated": {"protocol": "rotated", "n_tasks": 4, "max_degrees": 90},
    "shards": {"protocol": "data-incremental", "n_tasks": 4},
    "dirichlet": {"protocol": "dirichlet", "n_tasks": 3, "alpha": 5.0},
    "plain dirichlet": {"protocol": "dirichlet", "n_tasks": 3, "alpha": 5.0, "variant": "plain"},
    "ordered": {"protocol": "ordered-continuous", "n_tasks": 5},
}
EXHAUSTIVE = set(SCENARIOS) - {"given order", "remainder", "dirichlet"}
SHARED_TRAINING = {"permuted pixels", "rotated"}
SHARED_TEST = {*SHARED_TRAINING, "shards"}
NO_RANDOMNESS = {"fixed", "given order", "large first task", "uneven", "remainder", "task-incremental", "ordered"}


def parts(manifest):
    return [
        {part: rows(manifest, task, part).tolist() for part in PARTS} for task in range(len(manifest["tasks"]))
    ]


@pytest.mark.parametrize("name", SCENARIOS)
@given(seed=st.integers(0, 10**6), fraction=st.sampled_from([0.0, 0.1, 0.25, 0.5]))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_promises_of_every_protocol(toy, name, seed, fraction):
    data = toy.source(train=20, test=10)
    manifest = make_manifest({**SCENARIOS[name], "validation": fraction}, [data], seed)
    tasks = parts(manifest)
    assert len(tasks) == SCENARIOS[name]["n_tasks"]
    for number, task in enumerate(tasks):
        for part, size in (("train", 200), ("validation", 200), ("test", 100)):
            assert task[part] == sorted(set(task[part]))
            assert not task[part] or (task[part][0] >= 0 and task[part][-1] < size)
        assert task["train"]
        assert task["test"]
        assert bool(task["validation"]) == (fraction > 0)
        present = set(data.train_y[task["train"]].tolist()) | set(data.test_y[task["test"]].tolist())
        assert manifest["tasks"][number]["classes"] == sorted(present)
    trained = [row for task in tasks for row in task["train"]]
    held = [row for task in tasks for row in task["validation"]]
    assert not set(trained) & set(held), "a validation image is trained on in some task"
    if name in SHARED_TRAINING:
        assert all(t["train"] == tasks[0]["train"] and t["validation"] == tasks[0]["validation"] for t in tasks)
        assert sorted(tasks[0]["train"] + tasks[0]["validation"]) == list(range(200))
    else:
        assert len(trained + held) == len(set(trained + held))
        assert (sorted(trained + held) == list(range(200))) == (name in EXHAUSTIVE)
    tested = [row for task in tasks for row in task["test"]]
    if name in SHARED_TEST:
        assert all(task["test"] == list(range(100)) for task in tasks)
    else:
        assert len(tested) == len(set(tested))
        assert (sorted(tested) == list(range(100))) == (name in EXHAUSTIVE)


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_inputs_same_bytes(toy, name, tmp_path):
    scenario = {**SCENARIOS[name], "validation": 0.1}
    for file in ("a.json", "b.json"):
        write_manifest(tmp_path / file, make_manifest(scenario, [toy.source(train=20, test=10)], 3))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("name", SCENARIOS)
def test_seed_moves_what_is_random_and_nothing_else(toy, name):
    data = toy.source(train=20, test=10)
    splits = [make_manifest(SCENARIOS[name], [data], seed) for seed in (0, 1, 2)]
    shown = {json.dumps([parts(m), [t["transform"] for t in m["tasks"]]]) for m in splits}
    assert len(shown) == (1 if name in NO_RANDOMNESS else 3)
    held = {
        str(parts(make_manifest({**SCENARIOS[name], "validation": 0.25}, [data], seed))[0]["validation"])
        for seed in (0, 1, 2)
    }
    assert len(held) == 3


def test_bytes_do_not_depend_on_how_labels_are_stored(toy, tmp_path):
    scenario = {**SCENARIOS["plain dirichlet"], "validation": 0.1}
    plain = toy.source(train=20, test=10)
    np.save(tmp_path / "y.npy", plain.train_y)
    stored = SourceData(
        name=plain.name, sha256=plain.sha256, n_classes=10, n_pixels=9,
        train_y=np.load(tmp_path / "y.npy", mmap_mode="r"), test_y=plain.test_y.astype(np.uint8),
    )  # fmt: skip
    assert make_manifest(scenario, [stored], 0) == make_manifest(scenario, [plain], 0)


def test_title_and_id_do_not_change_the_split(toy):
    data = toy.source()
    named = {"id": "a", "title": "A", **SCENARIOS["fixed"]}
    assert make_manifest(named, [data], 0) == make_manifest({**named, "id": "b", "title": "B"}, [data], 0)


# Several data sets ------------------------------------------------------------------------------------


def test_offsets_of_labels(toy):
    three = [toy.source(n_classes=n) for n in (10, 7, 4)]
    assert label_offsets(three, "disjoint") == [0, 10, 17]
    assert label_offsets(three, "shared") == [0, 0, 0]
    assert label_offsets(three[:1], "disjoint") == [0]


def test_corpora_share_labels_and_keep_their_own_rows(toy):
    two = [toy.source("a", train=4, test=2), toy.source("b", train=6, test=1)]
    manifest = make_manifest({"protocol": "corpora"}, two, 0)
    assert [entry["label_offset"] for entry in manifest["datasets"]] == [0, 0]
    assert manifest["n_classes"] == 10
    assert manifest["labels"] == "shared"
    assert [task["classes"] for task in manifest["tasks"]] == [list(range(10))] * 2
    first, second = parts(manifest)
    assert (first["train"], first["test"]) == (list(range(40)), list(range(20)))
    assert (second["train"], second["test"]) == (list(range(40, 100)), list(range(20, 30)))


def test_corpora_hold_out_from_each(toy):
    two = [toy.source("a", train=10, test=2), toy.source("b", train=20, test=1)]
    first, second = parts(make_manifest({"protocol": "corpora", "validation": 0.1}, two, 0))
    assert (len(first["validation"]), len(second["validation"])) == (10, 20)
    assert max(first["validation"]) < 100 <= min(second["validation"])


def test_corpora_may_have_disjoint_labels(toy):
    two = [toy.source("a", n_classes=3), toy.source("b", n_classes=2)]
    manifest = make_manifest({"protocol": "corpora", "labels": "disjoint"}, two, 0)
    assert [task["classes"] for task in manifest["tasks"]] == [[0, 1, 2], [3, 4]]


def test_two_data_sets_with_disjoint_labels_class_by_class(toy):
    two = [toy.source("a", n_classes=4, train=2, test=1), toy.source("b", n_classes=4, train=3, test=1)]
    manifest = make_manifest({"protocol": "class-incremental", "n_tasks": 2, "class_order": [0, 5, 4, 1]}, two, 0)
    assert manifest["n_classes"] == 8
    assert [entry["label_offset"] for entry in manifest["datasets"]] == [0, 4]
    assert [task["classes"] for task in manifest["tasks"]] == [[0, 5], [1, 4]]
    y = np.concatenate([two[0].train_y, two[1].train_y + 4])
    assert parts(manifest)[0]["train"] == [i for i, label in enumerate(y.tolist()) if label in (0, 5)]


def test_two_data_sets_with_shared_labels_class_by_class(toy):
    two = [toy.source("a", n_classes=4), toy.source("b", n_classes=4)]
    manifest = make_manifest({"protocol": "class-incremental", "n_tasks": 2, "labels": "shared"}, two, 0)
    assert manifest["n_classes"] == 4
    assert len(parts(manifest)[0]["train"]) == 2 * 2 * 8


# The file ---------------------------------------------------------------------------------------------

GOLDEN_BODY = "786338596a79c840166ac3fc880e20d1cf590f7c77b1d8addfade896dc39914b"
GOLDEN_FILE = "756d5549c351f74a156e35484181b1f190cbc1a799bd0aa17593820b7b8963e8"
GOLDEN_TEXT = (
    '{"datasets":[{"label_offset":0,"name":"toy","sha256":"abc"}],"index_sets":{'
    '"10551dedb8265059":[2,3,6,7],"18b058689d010062":[2,3],"463f2998327eb3a6":[0,1],"4e55df5bb369524d":[0,1,4,5],'
    '"4f53cda18c2baa0c":[]},"labels":"disjoint","n_classes":4,"options":{"n_tasks":2},'
    '"protocol":"class-incremental","schema":1,"seed":7,"sha256":"' + GOLDEN_BODY + '","tasks":['
    '{"classes":[0,1],"test":"18b058689d010062","train":"4e55df5bb369524d","transform":{},'
    '"validation":"4f53cda18c2baa0c"},'
    '{"classes":[2,3],"test":"463f2998327eb3a6","train":"10551dedb8265059","transform":{},'
    '"validation":"4f53cda18c2baa0c"}],"validation":0.0}\n'
)


def golden_manifest():
    data = SourceData(
        name="toy", sha256="abc", n_classes=4, n_pixels=4,
        train_y=np.array([0, 1, 2, 3, 0, 1, 2, 3]), test_y=np.array([3, 2, 1, 0]),
    )  # fmt: skip
    return make_manifest({"id": "toy", "protocol": "class-incremental", "n_tasks": 2, "validation": 0}, [data], 7)


def test_format_has_not_drifted(tmp_path):
    """The text was written by hand and hashed with sha256sum; a new format needs a new schema number."""
    manifest = golden_manifest()
    assert manifest["sha256"] == GOLDEN_BODY
    write_manifest(tmp_path / "seed7.json", manifest)
    assert (tmp_path / "seed7.json").read_text() == GOLDEN_TEXT
    assert hashlib.sha256(GOLDEN_TEXT.encode()).hexdigest() == GOLDEN_FILE


def test_manifest_comes_back_as_it_was(tmp_path):
    manifest = golden_manifest()
    write_manifest(tmp_path / "m.json", manifest)
    assert read_manifest(tmp_path / "m.json") == manifest
    assert rows(manifest, 1, "train").tolist() == [2, 3, 6, 7]
    assert rows(manifest, 1, "train").dtype == rows(manifest, 0, "validation").dtype == np.int64


def test_every_changed_digit_is_noticed(tmp_path):
    path = tmp_path / "m.json"
    write_manifest(path, golden_manifest())
    text = path.read_text()
    digits = [i for i, char in enumerate(text) if char.isdigit()]
    assert len(digits) > 100
    for i in digits:
        path.write_text(text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1 :])
        with pytest.raises(
            SplitError, match=r"m\.json does not match its own SHA-256.*delete .*m\.json and run again"
        ):
            read_manifest(path)


def test_missing_and_truncated_manifests_say_what_to_do(tmp_path):
    path = tmp_path / "m.json"
    with pytest.raises(RecollectError, match=r"m\.json is missing: delete .* and run again"):
        read_manifest(path)
    write_manifest(path, golden_manifest())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecollectError, match=r"m\.json is damaged .* and run again"):
        read_manifest(path)


# Impossible splits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({"protocol": "class-incremental", "n_tasks": 11}, "11 tasks from 10 classes"),
        ({"protocol": "class-incremental", "n_tasks": 2, "class_order": [1, 1]}, "at most once"),
        ({"protocol": "data-incremental", "n_tasks": 81}, "81 tasks from 80 samples"),
        ({"protocol": "dirichlet", "n_tasks": 10, "alpha": 0.01}, "larger alpha"),
        ({"protocol": "ordered-continuous", "n_tasks": 4}, "10 bins do not divide evenly into 4 tasks"),
        ({"protocol": "ordered-continuous", "n_tasks": 20}, "choose n_tasks from 1, 2, 5, 10"),
        ({"protocol": "rotated", "n_tasks": 2, "evaluate_on": "heldout"}, "add heldout, e.g. heldout: 0.3"),
        (
            {"protocol": "rotated", "n_tasks": 2, "heldout": 0.3},
            "heldout has no use with evaluate_on: test: drop it",
        ),
        (
            {"protocol": "data-incremental", "n_tasks": 80, "evaluate_on": "heldout", "heldout": 0.3},
            "task 0 has 1 training and 0 test samples",
        ),
    ],
)
def test_impossible_splits_are_one_sentence(toy, scenario, says):
    with pytest.raises(SplitError) as error:
        make_manifest(scenario, [toy.source()], 0)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_task_without_test_samples_is_refused():
    data = SourceData("toy", "abc", 2, 1, train_y=np.array([0, 1]), test_y=np.array([0, 0]))
    with pytest.raises(SplitError, match="task 1 has 1 training and 0 test samples"):
        make_manifest({"protocol": "class-incremental", "n_tasks": 2}, [data], 0)
