"""Controls: an oracle, a guesser and a method that forgets everything bound what accuracy metrics can show.

A metric on which the oracle is not ahead of both others, or ties with one of them, says nothing by itself
about the difference; forgetting is such a metric: guessing forgets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from recollect.metrics.accuracy import all_variants
from recollect.tables.metric_info import metric_info

ORACLE, GUESSER, FORGETTER = "oracle", "guesser", "forgets everything"
Variants = Mapping[str, float | None]
Compute = Callable[..., Variants]


def control_matrices(n_tasks: int, n_classes: int) -> dict[str, np.ndarray]:
    """R[t, i] of the three controls, shape (tasks, tasks).

    The guesser draws one of all classes, its expected accuracy is 1 / n_classes on every task. The one that
    forgets everything knows the current task only.
    """
    return {
        ORACLE: np.ones((n_tasks, n_tasks)),
        GUESSER: np.full((n_tasks, n_tasks), 1.0 / n_classes),
        FORGETTER: np.eye(n_tasks),
    }


def control_values(n_tasks: int, n_classes: int, compute: Compute = all_variants) -> dict[str, dict[str, float]]:
    """Control -> metric -> value, for tasks of equal size.

    Args:
        n_tasks, n_classes: of the scenario.
        compute: metrics of a matrix, test sizes and initial accuracies; tests plant wrong ones.
    """
    sizes, initial = np.full(n_tasks, 100), np.full(n_tasks, 1.0 / n_classes)
    found = {}
    for name, matrix in control_matrices(n_tasks, n_classes).items():
        values = compute(matrix, sizes, initial, forward_defined=False)
        found[name] = {metric: float(value) for metric, value in values.items() if value is not None}
    return found


def misranked(values: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Metrics that do not put the oracle first, or put it level with both others."""
    wrong = []
    for metric, best in values[ORACLE].items():
        sign = 1.0 if metric_info(metric).direction == "up" else -1.0
        gaps = [sign * (best - values[other][metric]) for other in (GUESSER, FORGETTER)]
        if min(gaps) < 0 or max(gaps) <= 0:
            wrong.append(metric)
    return wrong
