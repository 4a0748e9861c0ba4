"""Precision and recall from nearest neighbours (Kynkaanniemi et al. 2019), through torch-fidelity.

A set covers a point that lies within the distance of one of its members to that member's k-th neighbour.
Precision is the share of generated samples that the data cover, recall the share of data that the generator
covers. Not comparable with PRD, which answers the same question by clustering.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.features import feature_pair

# Rows of the distance matrix held at once; 10 000 samples then need 160 MB, not 3 GB.
BATCH_SIZE = 1000


class KnnPrecisionRecall(NamedTuple):
    """Fractions in [0, 1]; 1 is best."""

    precision: float
    recall: float


def knn_precision_recall(generated: np.ndarray, reference: np.ndarray, *, k: int = 3) -> KnnPrecisionRecall:
    """Precision and recall with the k-th neighbour, the sample itself not counted.

    Args:
        generated: (N, D) features of generated samples.
        reference: (M, D) features of real samples; M may differ from N.
        k: neighbours; the paper's 3.

    Raises:
        MetricError: k below 1, wrong shapes, values that are not finite, or fewer than k + 1 samples.
    """
    import torch
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    if k < 1:
        raise MetricError(f"k = {k}: give a number of neighbours of at least 1")
    ours, real = feature_pair(generated, reference, at_least=k + 1)
    # torch-fidelity 0.4 takes the generated features first; a test on a collapsed generator holds it to that.
    result = prc_features_to_metric(
        torch.from_numpy(ours),
        torch.from_numpy(real),
        prc_neighborhood=k,
        prc_batch_size=BATCH_SIZE,
        save_cpu_ram=True,
        verbose=False,
    )
    return KnnPrecisionRecall(result[KEY_METRIC_PRECISION], result[KEY_METRIC_RECALL])
