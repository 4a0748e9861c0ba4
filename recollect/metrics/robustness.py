"""Robustness to corruptions and perturbations, from stored answers alone.

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019; the means are those of the evaluation in the LCA authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recollect.metrics.accuracy import MetricError

Errors = Mapping[str, Sequence[float]]
"""Corruption -> its share of wrong answers at every severity."""


def error_rate(answers: np.ndarray, labels: np.ndarray) -> float:
    """Share of wrong answers; both int (N,).

    Raises:
        MetricError: no answers, or not one per label.
    """
    if answers.shape != labels.shape or not len(labels):
        raise MetricError(f"answers of shape {answers.shape} do not fit labels of shape {labels.shape}")
    return float(np.mean(answers != labels))


def corruption_accuracy(errors: Errors) -> float:
    """Mean over corruptions of the mean over severities of the accuracy.

    Raises:
        MetricError: no corruption.
    """
    return 1.0 - mean_error(errors)


def mean_error(errors: Errors) -> float:
    """Mean over corruptions of the mean over severities of the error: mCE without normalisation.

    Raises:
        MetricError: no corruption.
    """
    if not errors:
        raise MetricError("no corruption was evaluated: the mean over none is not defined")
    return float(np.mean([np.mean(values) for values in errors.values()]))


def mean_corruption_error(errors: Errors, reference: Errors) -> float:
    """mCE: mean over corruptions of (sum over severities of the error) / (the same sum of a reference model).

    Raises:
        MetricError: the two were not evaluated alike, or the reference makes no error on a corruption.
    """
    if {c: len(v) for c, v in errors.items()} != {c: len(v) for c, v in reference.items()} or not errors:
        raise MetricError("mCE needs the same corruptions and severities of model and reference")
    flawless = [name for name, values in reference.items() if not sum(values)]
    if flawless:
        raise MetricError(f"the reference makes no error on {flawless[0]}, mCE would divide by zero")
    return float(np.mean([sum(errors[name]) / sum(reference[name]) for name in errors]))


def frame_accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """Share of right answers over all frames: answers int (N, L) on N sequences of L frames, labels int (N,).

    Raises:
        MetricError: shapes that do not fit, or nothing.
    """
    if answers.ndim != 2 or len(answers) != len(labels) or not answers.size:
        raise MetricError(f"answers of shape {answers.shape} do not fit {len(labels)} sequences")
    return float(np.mean(answers == labels[:, None]))


def flip_rate(answers: np.ndarray) -> float:
    """Mean over sequences of (changes of the answer from frame to frame) / (L - 1); answers int (N, L).

    Consecutive frames are compared for every perturbation; Hendrycks and Dietterich compare those of noise with
    the first frame instead.

    Raises:
        MetricError: fewer than two frames, or no sequence.
    """
    if answers.ndim != 2 or answers.shape[1] < 2 or not len(answers):
        raise MetricError(f"answers of shape {answers.shape}: a flip rate needs sequences of at least two frames")
    return float(np.mean(answers[:, 1:] != answers[:, :-1]))


def overall_robustness(corruption_acc: float, perturbation_acc: float) -> float:
    """Mean of the accuracy on corruptions and the frame accuracy on perturbations."""
    return (corruption_acc + perturbation_acc) / 2
