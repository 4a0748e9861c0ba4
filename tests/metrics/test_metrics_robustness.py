"""Robustness scores against cases worked by hand."""

import numpy as np
import pytest

from recollect.metrics.accuracy import MetricError
from recollect.metrics.robustness import (
    corruption_accuracy,
    error_rate,
    flip_rate,
    frame_accuracy,
    mean_corruption_error,
    mean_error,
    overall_robustness,
)

ERRORS = {"fog": [0.1, 0.3], "snow": [0.2, 0.6]}
REFERENCE = {"fog": [0.2, 0.2], "snow": [0.4, 0.4]}


def test_means_over_severities_then_corruptions():
    assert mean_error(ERRORS) == pytest.approx((0.2 + 0.4) / 2)
    assert corruption_accuracy(ERRORS) == pytest.approx(0.7)
    uneven = {"a": [0.0], "b": [0.5, 1.0]}
    assert corruption_accuracy(uneven) == pytest.approx(1 - 0.75 / 2)  # not the mean of all three


def test_mce_is_a_mean_of_ratios():
    assert mean_corruption_error(ERRORS, REFERENCE) == pytest.approx((0.4 / 0.4 + 0.8 / 0.8) / 2)
    doubled = {"fog": [0.4, 0.4], "snow": [0.1, 0.1]}
    assert mean_corruption_error(doubled, REFERENCE) == pytest.approx((0.8 / 0.4 + 0.2 / 0.8) / 2)
    assert mean_corruption_error(REFERENCE, REFERENCE) == 1.0


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ({"fog": [0.1, 0.1]}, "the same corruptions and severities"),
        ({"fog": [0.1], "snow": [0.1, 0.1]}, "the same corruptions and severities"),
        ({"fog": [0.0, 0.0], "snow": [0.1, 0.1]}, "no error on fog"),
    ],
)
def test_mce_of_what_cannot_be_compared(reference, says):
    with pytest.raises(MetricError, match=says):
        mean_corruption_error(ERRORS, reference)


def test_sequences_by_hand():
    answers = np.array([[1, 1, 1, 1], [2, 3, 3, 2], [5, 6, 5, 6]])
    labels = np.array([1, 2, 6])
    assert frame_accuracy(answers, labels) == pytest.approx((4 + 2 + 2) / 12)
    assert flip_rate(answers) == pytest.approx((0 / 3 + 2 / 3 + 3 / 3) / 3)


def test_errors_and_the_overall_score():
    assert error_rate(np.array([1, 2, 3, -1]), np.array([1, 2, 2, 2])) == 0.5
    assert overall_robustness(0.75, 0.8625) == pytest.approx(0.80625)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: mean_error({}),
        lambda: mean_corruption_error({}, {}),
        lambda: error_rate(np.array([]), np.array([])),
        lambda: error_rate(np.array([1]), np.array([1, 2])),
        lambda: frame_accuracy(np.zeros((2, 3)), np.zeros(3)),
        lambda: frame_accuracy(np.zeros(2), np.zeros(2)),
        lambda: flip_rate(np.zeros((4, 1))),
        lambda: flip_rate(np.zeros((0, 4))),
    ],
)
def test_nothing_to_measure_is_an_error(wrong):
    with pytest.raises(MetricError):
        wrong()
