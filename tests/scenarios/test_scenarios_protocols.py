"""Protocols against a second implementation of their random stream, and against splits worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.scenarios import protocols
from recollect.scenarios.protocols import SplitError

TRAIN = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])
TEST = np.array([5, 4, 3, 2, 1, 0])


def split(protocol, seed=0, n_classes=6, **options):
    return [(t.train.tolist(), t.test.tolist()) for t in protocol(TRAIN, TEST, n_classes, seed, **options)]


def classes(tasks):
    return [sorted(set(TRAIN[train].tolist())) for train, _ in tasks]


# Class-incremental ---------------------------------------------------------------------------------


def test_fixed_order_by_hand():
    assert split(protocols.class_incremental, n_tasks=3) == [
        ([0, 1, 6, 7], [4, 5]),
        ([2, 3, 8, 9], [2, 3]),
        ([4, 5, 10, 11], [0, 1]),
    ]


def test_given_order_by_hand():
    tasks = split(protocols.class_incremental, n_tasks=3, class_order=[5, 0, 4, 1, 3, 2])
    assert classes(tasks) == [[0, 5], [1, 4], [2, 3]]
    assert tasks[0] == ([0, 5, 6, 11], [0, 5])


def test_given_order_may_leave_classes_out():
    tasks = split(protocols.class_incremental, n_tasks=2, class_order=[3, 1])
    assert tasks == [([3, 9], [2]), ([1, 7], [4])]


@pytest.mark.parametrize("seed", [0, 1, 7, 123])
def test_permuted_order_is_the_frozen_stream(toy, seed):
    order = toy.stream(seed, "class order").permutation(6)
    tasks = split(protocols.class_incremental, seed=seed, n_tasks=3, class_order="permuted")
    assert classes(tasks) == [sorted(order[:2]), sorted(order[2:4]), sorted(order[4:])]


def test_permuted_order_of_seed_0_has_not_drifted():
    # Worked out once with Python's `random` (conftest.Stream): a change of NumPy must not change published splits.
    assert protocols.order_classes(10, "permuted", 0).tolist() == [3, 4, 1, 5, 9, 2, 6, 8, 0, 7]


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"n_tasks": 5}, [2, 2, 2, 2, 2]),
        ({"n_tasks": 1}, [10]),
        ({"n_tasks": 10}, [1] * 10),
        ({"n_tasks": 6, "first_task_classes": 5}, [5, 1, 1, 1, 1, 1]),
        ({"n_tasks": 3, "first_task_classes": 4}, [4, 3, 3]),
        ({"n_tasks": 3, "classes_per_task": [1, 2, 7]}, [1, 2, 7]),
        ({"n_tasks": 2, "classes_per_task": [1, 2]}, [1, 2]),
        ({"n_tasks": 3, "drop_remainder": True}, [3, 3, 3]),
        ({"n_tasks": 3, "first_task_classes": 5, "drop_remainder": True}, [5, 2, 2]),
    ],
)
def test_task_sizes_of_ten_classes(options, sizes):
    assert protocols.task_sizes(10, **options) == sizes


def test_dropped_classes_are_in_no_task():
    tasks = split(protocols.class_incremental, n_tasks=4, drop_remainder=True)
    assert classes(tasks) == [[0], [1], [2], [3]]
    assert not {4, 5} & set(TEST[np.concatenate([test for _, test in tasks])].tolist())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_tasks": 7}, "7 tasks from 6 classes"),
        ({"n_tasks": 4}, "do not divide evenly"),
        ({"n_tasks": 3, "first_task_classes": 5}, "3 tasks from 6 classes"),
        ({"n_tasks": 3, "first_task_classes": 3}, "do not divide evenly"),
        ({"n_tasks": 2, "classes_per_task": [3, 4]}, "at most 6"),
        ({"n_tasks": 3, "classes_per_task": [3, 3]}, "must list 3 sizes"),
        (
            {"n_tasks": 2, "class_order": [0, 0]},
            "names class 0 twice: it must name each class of 0..5 at most once",
        ),
        ({"n_tasks": 2, "class_order": [0, 6]}, "names class 6: it must name each class of 0..5"),
        ({"n_tasks": 2, "class_order": [-1, 2]}, "names class -1: it must name each class of 0..5"),
        ({"n_tasks": 2, "class_order": []}, "is empty: it must name"),
        ({"n_tasks": 3, "class_order": [0, 1]}, "3 tasks from 2 classes"),
    ],
)
def test_impossible_class_splits_are_one_sentence(options, says):
    with pytest.raises(SplitError) as error:
        split(protocols.class_incremental, **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


# Domain-incremental and data-incremental --------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 5])
def test_pixel_permutations_are_the_frozen_stream(toy, seed):
    tasks = protocols.permuted_pixels(TRAIN, TEST, 6, seed, n_tasks=4, n_pixels=16)
    stream = toy.stream(seed, "pixel permutations")
    assert [t.transform for t in tasks] == [{}] + [{"permute": stream.permutation(16)} for _ in range(3)]
    assert all(t.train.tolist() == list(range(12)) and t.test.tolist() == list(range(6)) for t in tasks)


@pytest.mark.parametrize(("seed", "high"), [(0, 180.0), (3, 45.0)])
def test_angles_are_the_frozen_stream(toy, seed, high):
    tasks = protocols.rotated(TRAIN, TEST, 6, seed, n_tasks=6, max_degrees=high)
    angles = [t.transform["rotate_degrees"] for t in tasks]
    assert angles == [0.0] + [round(a, 6) for a in toy.stream(seed, "angles").uniform(high, 5)]
    assert all(0 <= angle < high for angle in angles)
    assert all(len(t.train) == 12 and len(t.test) == 6 for t in tasks)


def test_angles_span_half_a_turn_by_default():
    drawn = [t.transform["rotate_degrees"] for t in protocols.rotated(TRAIN, TEST, 6, 0, n_tasks=200)]
    assert 170 < max(drawn) < 180  # of 199 uniform draws, all below 170 has probability 1e-5


@pytest.mark.parametrize("n_tasks", [1, 5, 12])
def test_shards_are_the_frozen_stream(toy, n_tasks):
    rows = toy.stream(2, "shards").permutation(12)
    sizes = [12 // n_tasks + (i < 12 % n_tasks) for i in range(n_tasks)]
    shards = [sorted(rows[sum(sizes[:i]) : sum(sizes[: i + 1])]) for i in range(n_tasks)]
    assert split(protocols.data_incremental, seed=2, n_tasks=n_tasks) == [(s, list(range(6))) for s in shards]


def test_more_shards_than_samples():
    with pytest.raises(SplitError, match="13 tasks from 12 samples leave a task empty: lower n_tasks"):
        split(protocols.data_incremental, n_tasks=13)


def test_corpora_take_their_own_rows():
    tasks = protocols.corpora(TRAIN, TEST, [(0, 4, 0, 1), (4, 12, 1, 6)])
    assert [(t.train.tolist(), t.test.tolist()) for t in tasks] == [
        ([0, 1, 2, 3], [0]),
        ([4, 5, 6, 7, 8, 9, 10, 11], [1, 2, 3, 4, 5]),
    ]


@pytest.mark.parametrize(
    ("n_tasks", "bins"),
    [
        (1, [[0, 1, 2, 3, 4, 5]]),
        (2, [[0, 1, 2], [3, 4, 5]]),
        (3, [[0, 1], [2, 3], [4, 5]]),
        (6, [[k] for k in range(6)]),
    ],
)
def test_ordered_bins_by_hand(n_tasks, bins):
    tasks = split(protocols.ordered_continuous, n_tasks=n_tasks)
    assert classes(tasks) == bins
    assert tasks == split(protocols.ordered_continuous, seed=99, n_tasks=n_tasks)
    assert tasks == split(protocols.class_incremental, n_tasks=n_tasks)


@pytest.mark.parametrize("n_tasks", [4, 5, 7, 12])
def test_bins_that_do_not_divide_are_refused(n_tasks):
    with pytest.raises(SplitError, match=f"6 bins .* into {n_tasks} tasks: choose n_tasks from 1, 2, 3, 6$"):
        split(protocols.ordered_continuous, n_tasks=n_tasks)


@given(st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=100, unique=True), st.sampled_from([1, 2, 5, 10]))
@settings(max_examples=100, deadline=None)
def test_the_variable_grows_from_task_to_task(values, n_tasks):
    """Whatever the variable: cut at any edges, no value of a task lies above one of the next task."""
    values = np.array(values)
    edges = np.sort(np.random.default_rng(len(values)).choice(values, 9, replace=False))
    bins = np.searchsorted(edges, values)
    tasks = protocols.ordered_continuous(bins, bins, 10, 0, n_tasks=n_tasks)
    assert sorted(row for task in tasks for row in task.train) == list(range(len(values)))
    filled = [values[task.train] for task in tasks if len(task.train)]
    assert all(low.max() < high.min() for low, high in itertools.pairwise(filled))
    assert all(task.train.tolist() == task.test.tolist() for task in tasks)


# Validation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "fraction", "held"), [(10, 0.1, 1), (10, 0.3, 3), (4, 0.1, 0), (1, 0.9, 0), (2, 0.9, 1), (3, 0.99, 2)]
)
def test_hold_out_of_one_class(n, fraction, held):
    train, validation = protocols.hold_out(np.arange(n), np.zeros(n, int), fraction, 0, 0)
    assert (len(train), len(validation)) == (n - held, held)


def test_hold_out_is_the_frozen_stream(toy):
    rows = np.array([1, 2, 5, 7, 8, 9, 10, 11])
    train, validation = protocols.hold_out(rows, TRAIN, 0.5, seed=4, task=3)
    stream, expected = toy.stream(4, "validation 3"), []
    for label in sorted(set(TRAIN[rows].tolist())):
        mine = stream.permutation([r for r in rows.tolist() if TRAIN[r] == label])
        expected += mine[: round(len(mine) / 2)]
    assert validation.tolist() == sorted(expected)
    assert train.tolist() == [r for r in rows.tolist() if r not in expected]


def test_no_hold_out_keeps_every_row():
    train, validation = protocols.hold_out(np.arange(12), TRAIN, 0.0, 0, 0)
    assert train.tolist() == list(range(12))
    assert validation.size == 0


def test_streams_of_different_purposes_are_independent():
    drawn = {
        tuple(protocols.random_state(seed, purpose).permutation(20))
        for seed in (0, 1)
        for purpose in ("class order", "shards", "validation 0", "validation 1")
    }
    assert len(drawn) == 8


@pytest.mark.parametrize("seed", [1993, 1994, 1995])
def test_the_order_of_lamda_pilot_is_numpys_global_stream(seed):
    state = np.random.get_state()  # noqa: NPY002 - the very calls of LAMDA-PILOT
    np.random.seed(seed)  # noqa: NPY002
    expected = np.random.permutation(100)  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    assert protocols.order_classes(100, "pilot", seed).tolist() == expected.tolist()


def test_the_order_of_seed_1993_is_the_one_that_papers_print():
    """First classes of CIFAR-100 with seed 1993, as logs of iCaRL-style code have shown them for years."""
    assert protocols.order_classes(100, "pilot", 1993)[:10].tolist() == [68, 56, 78, 8, 23, 84, 90, 65, 74, 76]


def test_chosen_classes_come_in_an_order_that_the_seed_determines():
    orders = [protocols.order_classes(10, {"permuted": [9, 4, 7, 0]}, seed).tolist() for seed in range(6)]
    assert all(sorted(order) == [0, 4, 7, 9] for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert protocols.order_classes(10, {"permuted": [9, 4, 7, 0]}, 3).tolist() == orders[3]
    for wrong in ([1, 1], [10], []):
        with pytest.raises(SplitError, match="must name each class"):
            protocols.order_classes(10, {"permuted": wrong}, 0)
