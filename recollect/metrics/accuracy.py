"""Accuracy and forgetting in every variant of the literature, derived by name from one matrix.

``R[t, i]`` is the accuracy on the test data of task i after training on task t, shape (T, T), fractions.
``initial[i]`` is the accuracy on task i before any training. A row that was not evaluated is NaN.

Sources: Lopez-Paz and Ranzato 2017 (GEM: BWT, FWT); Chaudhry et al. 2018 (RWalk: forgetting); the definitions
used by PILOT, Mammoth and Avalanche differ as noted at each function.
"""

from __future__ import annotations

import numpy as np

from recollect.errors import RecollectError
from recollect.predictions import NOT_EVALUATED


class MetricError(RecollectError):
    """Predictions or labels that do not belong together."""


def accuracy_matrix(
    predictions: np.ndarray, labels: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R and the initial accuracies from stored predictions.

    Args:
        predictions: int (T + 1, N); row 0 before training, row t + 1 after task t; ``NOT_EVALUATED`` fills
            rows that do not exist.
        labels: int (N,), the test labels of all tasks one after another.
        sizes: int (T,), test samples per task, summing to N.

    Returns:
        (R of shape (T, T), initial of shape (T,)).
    """
    n_tasks = len(sizes)
    if predictions.shape != (n_tasks + 1, len(labels)) or sizes.sum() != len(labels):
        raise MetricError(
            f"predictions of shape {predictions.shape} do not fit {n_tasks} tasks and {len(labels)} labels: "
            "the run and the split differ, delete the run folder and run again"
        )
    if (sizes <= 0).any():
        raise MetricError(f"test sizes {sizes.tolist()}: every task needs test samples")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows = np.add.reduceat(predictions == labels, starts, axis=1) / sizes
    rows[(predictions == NOT_EVALUATED).any(axis=1)] = np.nan
    return rows[1:], rows[0]


def session_accuracy(R: np.ndarray, sizes: np.ndarray | None = None) -> np.ndarray:
    """Accuracy over the tasks seen after each task, shape (T,); weighted by test-set size if given.

    Weighted is PILOT's, MOS's and EASE's; unweighted is Mammoth's and the LCA repository's.
    """
    weights = np.tril(np.ones_like(R) if sizes is None else np.broadcast_to(sizes, R.shape))
    return (np.tril(R) * weights).sum(axis=1) / weights.sum(axis=1)


def forgetting_max(R: np.ndarray) -> float:
    """Best accuracy ever reached minus the final one, mean over the first T - 1 tasks (PILOT, Mammoth); >= 0."""
    learned = np.where(np.tril(np.ones_like(R)) > 0, R, -np.inf)
    return float((learned.max(axis=0) - R[-1])[:-1].mean())


def forgetting_range(R: np.ndarray) -> float:
    """Largest minus smallest of best accuracy minus final one among the first T - 1 tasks (LCA's FFD); >= 0."""
    learned = np.where(np.tril(np.ones_like(R)) > 0, R, -np.inf)
    lost = (learned.max(axis=0) - R[-1])[:-1]
    return float(lost.max() - lost.min())


def forgetting_initial(R: np.ndarray) -> float:
    """Accuracy right after learning minus the final one, mean over the first T - 1 tasks (Avalanche)."""
    return float((np.diag(R) - R[-1])[:-1].mean())


def forgetting_chaudhry(R: np.ndarray) -> float:
    """Best accuracy over all *earlier* sessions minus the final one (Chaudhry et al. 2018); can be negative."""
    return float((R[:-1].max(axis=0) - R[-1])[:-1].mean())


def backward_transfer(R: np.ndarray) -> float:
    """BWT, final accuracy minus that right after learning, mean over the first T - 1 tasks (GEM, eq. 3)."""
    return -forgetting_initial(R)


def forward_transfer(R: np.ndarray, initial: np.ndarray) -> float:
    """FWT, accuracy on a task just before learning it minus the untrained one, tasks 2..T (GEM, eq. 4)."""
    return float(np.mean([R[i - 1, i] - initial[i] for i in range(1, len(R))]))


def all_variants(
    R: np.ndarray, sizes: np.ndarray, initial: np.ndarray | None = None, *, forward_defined: bool = True
) -> dict[str, float]:
    """Every defined metric by name; what the matrix does not define is left out.

    Args:
        R: (T, T); rows that were not evaluated are NaN (joint training has only the last).
        sizes: (T,) test samples per task.
        initial: (T,) accuracies before training.
        forward_defined: False where outputs of unseen classes are closed, so that FWT means nothing.
    """
    named = {
        "avg_acc_unweighted": float(R[-1].mean()),
        "avg_acc_weighted": float((R[-1] * sizes).sum() / sizes.sum()),
        "avg_inc_acc_unweighted": float(session_accuracy(R).mean()),
        "avg_inc_acc_weighted": float(session_accuracy(R, sizes).mean()),
    }
    if len(R) > 1:
        named |= {
            "forgetting_max": forgetting_max(R),
            "forgetting_range": forgetting_range(R),
            "forgetting_initial": forgetting_initial(R),
            "forgetting_chaudhry": forgetting_chaudhry(R),
            "bwt": backward_transfer(R),
        }
        if initial is not None and forward_defined:
            named["fwt"] = forward_transfer(R, initial)
    return {name: value for name, value in named.items() if np.isfinite(value)}
