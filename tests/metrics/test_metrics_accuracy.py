"""Accuracy and forgetting on matrices worked out by hand, and the matrix itself against a slow loop."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recollect.metrics.accuracy import (
    MetricError,
    accuracy_matrix,
    all_variants,
    backward_transfer,
    forgetting_chaudhry,
    forgetting_initial,
    forgetting_max,
    forgetting_range,
    forward_transfer,
    session_accuracy,
)
from recollect.predictions import NO_ANSWER, NOT_EVALUATED
from recollect.tables.metric_info import METRICS

# Task 1 is best after task 2, task 2 is best before it was learned: no two definitions of forgetting agree.
R = np.array([[0.6, 0.8, 0.1], [0.9, 0.5, 0.3], [0.5, 0.7, 0.4]])
INITIAL = np.array([0.2, 0.3, 0.25])
SIZES = np.array([10, 20, 70])


def test_forgetting_variants_by_hand():
    # max:      task 1 max(.6 .9 .5) - .5 = .4;  task 2 max(.5 .7) - .7 = 0;     mean .2
    # initial:  task 1 .6 - .5 = .1;             task 2 .5 - .7 = -.2;           mean -.05
    # Chaudhry: task 1 max(.6 .9) - .5 = .4;     task 2 max(.8 .5) - .7 = .1;    mean .25
    assert forgetting_max(R) == pytest.approx(0.2)
    assert forgetting_initial(R) == pytest.approx(-0.05)
    assert forgetting_chaudhry(R) == pytest.approx(0.25)
    assert backward_transfer(R) == pytest.approx(0.05)


def test_chaudhry_is_negative_where_the_end_is_the_best():
    improving = np.array([[0.5, 0.1], [0.8, 0.9]])
    assert forgetting_chaudhry(improving) == pytest.approx(-0.3)
    assert forgetting_initial(improving) == pytest.approx(-0.3)
    assert forgetting_max(improving) == 0.0
    assert backward_transfer(improving) == pytest.approx(0.3)


def test_forward_transfer_by_hand():
    # R[1, 2] - initial[2] = .8 - .3 and R[2, 3] - initial[3] = .3 - .25
    assert forward_transfer(R, INITIAL) == pytest.approx((0.5 + 0.05) / 2)


def test_session_accuracy_by_hand():
    np.testing.assert_allclose(session_accuracy(R), [0.6, 0.7, (0.5 + 0.7 + 0.4) / 3])
    weighted = [0.6, (10 * 0.9 + 20 * 0.5) / 30, (10 * 0.5 + 20 * 0.7 + 70 * 0.4) / 100]
    np.testing.assert_allclose(session_accuracy(R, SIZES), weighted)


def test_all_variants_by_hand():
    named = all_variants(R, SIZES, INITIAL)
    assert named == pytest.approx(
        {
            "avg_acc_unweighted": 1.6 / 3,
            "avg_acc_weighted": 0.47,
            "avg_inc_acc_unweighted": (0.6 + 0.7 + 1.6 / 3) / 3,
            "avg_inc_acc_weighted": (0.6 + 19 / 30 + 0.47) / 3,
            "forgetting_max": 0.2,
            "forgetting_range": 0.4,
            "forgetting_initial": -0.05,
            "forgetting_chaudhry": 0.25,
            "bwt": 0.05,
            "fwt": 0.275,
        }
    )
    assert all(type(value) is float for value in named.values())


def test_equal_tasks_weigh_the_same():
    named = all_variants(R, np.array([5, 5, 5]), INITIAL)
    assert named["avg_acc_weighted"] == pytest.approx(named["avg_acc_unweighted"])
    assert named["avg_inc_acc_weighted"] == pytest.approx(named["avg_inc_acc_unweighted"])


def test_forward_transfer_only_where_it_is_defined():
    assert "fwt" not in all_variants(R, SIZES)
    assert "fwt" not in all_variants(R, SIZES, INITIAL, forward_defined=False)
    assert len(all_variants(R, SIZES, INITIAL, forward_defined=False)) == 9


def test_joint_has_only_final_accuracies():
    joint = np.full((3, 3), np.nan)
    joint[-1] = [0.9, 0.8, 0.7]
    named = all_variants(joint, SIZES, INITIAL)
    assert named == pytest.approx({"avg_acc_unweighted": 0.8, "avg_acc_weighted": (9 + 16 + 49) / 100})


def test_run_without_its_last_row_has_no_metric():
    stopped = R.copy()
    stopped[-1] = np.nan
    assert set(all_variants(stopped, SIZES, INITIAL)) == {"fwt"}


def test_one_task_forgets_nothing_and_transfers_nothing():
    named = all_variants(np.array([[0.7]]), np.array([3]), np.array([0.1]))
    assert named == pytest.approx(dict.fromkeys((n for n in METRICS if n in named), 0.7))
    assert set(named) == {
        "avg_acc_unweighted",
        "avg_acc_weighted",
        "avg_inc_acc_unweighted",
        "avg_inc_acc_weighted",
    }


def test_tables_know_every_variant():
    assert set(all_variants(R, SIZES, INITIAL)) <= set(METRICS)


matrices = st.integers(2, 6).flatmap(lambda n: arrays(float, (n, n), elements=st.floats(0, 1, width=32)))


@given(matrices)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_variants_against_loops(matrix):
    n = len(matrix)
    final = [matrix[n - 1][i] for i in range(n - 1)]
    best = [max(matrix[t][i] for t in range(i, n)) for i in range(n - 1)]
    earlier = [max(matrix[t][i] for t in range(n - 1)) for i in range(n - 1)]
    first = [matrix[i][i] for i in range(n - 1)]

    def mean(a, b):
        return math.fsum(x - y for x, y in zip(a, b, strict=True)) / (n - 1)

    assert forgetting_max(matrix) == pytest.approx(mean(best, final))
    assert forgetting_initial(matrix) == pytest.approx(mean(first, final))
    assert forgetting_chaudhry(matrix) == pytest.approx(mean(earlier, final))
    assert backward_transfer(matrix) == -forgetting_initial(matrix)
    assert forgetting_max(matrix) >= max(0.0, forgetting_initial(matrix)) - 1e-12
    assert forgetting_chaudhry(matrix) >= forgetting_initial(matrix) - 1e-12


@given(matrices)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_tasks_not_yet_seen_do_not_count_in_session_accuracy(matrix):
    garbled = np.where(np.triu(np.ones_like(matrix), 1) > 0, np.nan, matrix)
    np.testing.assert_array_equal(session_accuracy(garbled), session_accuracy(matrix))


# The matrix -------------------------------------------------------------------------------------------


def test_matrix_by_hand():
    labels = np.array([0, 1, 2, 2, 3])
    predictions = np.array(
        [
            [NO_ANSWER] * 5,
            [0, 0, 2, 0, 0],
            [NOT_EVALUATED] * 5,
            [0, 1, 2, NO_ANSWER, 2],
        ]
    )
    matrix, initial = accuracy_matrix(predictions, labels, np.array([2, 2, 1]))
    np.testing.assert_allclose(matrix, [[0.5, 0.5, 0.0], [np.nan] * 3, [1.0, 0.5, 0.0]])
    assert initial.tolist() == [0.0, 0.0, 0.0]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_matrix_against_a_slow_loop(sizes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, sum(sizes))
    predictions = rng.integers(NO_ANSWER, 3, (len(sizes) + 1, sum(sizes)))
    missing = rng.random(len(sizes) + 1) < 0.2
    predictions[missing] = NOT_EVALUATED
    matrix, initial = accuracy_matrix(predictions.astype(np.int16), labels, np.array(sizes))
    for t, row in enumerate([initial, *matrix]):
        start = 0
        for i, size in enumerate(sizes):
            right = sum(int(predictions[t, k] == labels[k]) for k in range(start, start + size))
            start += size
            if missing[t]:
                assert math.isnan(row[i])
            else:
                assert row[i] == pytest.approx(right / size)
    assert matrix.shape == (len(sizes), len(sizes))


@pytest.mark.parametrize(
    ("shape", "n_labels", "sizes"),
    [((3, 4), 5, [2, 3]), ((2, 5), 5, [2, 3]), ((3, 5), 5, [2, 2]), ((5,), 5, [2, 3])],
)
def test_wrong_shapes_are_refused(shape, n_labels, sizes):
    with pytest.raises(MetricError, match="the run and the split differ, delete the run folder and run again"):
        accuracy_matrix(np.zeros(shape, int), np.zeros(n_labels, int), np.array(sizes))


def test_task_without_test_samples_is_refused():
    with pytest.raises(MetricError, match=r"test sizes \[0, 2\]: every task needs test samples"):
        accuracy_matrix(np.zeros((3, 2), int), np.zeros(2, int), np.array([0, 2]))


def test_range_of_forgetting_and_both_averages_on_tasks_of_unequal_size():
    """The LCA repository's FFD, and its Ā (unweighted) beside PILOT's (weighted)."""
    matrix = np.array([[0.9, 0.0, 0.0], [0.8, 0.6, 0.0], [0.4, 0.7, 0.5]])
    assert forgetting_max(matrix) == pytest.approx((0.5 + 0.0) / 2)  # task 2 is at its best at the end
    assert forgetting_range(matrix) == pytest.approx(0.5)
    named = all_variants(matrix, np.array([10, 30, 60]))
    assert named["avg_inc_acc_unweighted"] == pytest.approx((0.9 + 0.7 + 1.6 / 3) / 3)
    assert named["avg_inc_acc_weighted"] == pytest.approx((0.9 + (8 + 18) / 40 + (4 + 21 + 30) / 100) / 3)
