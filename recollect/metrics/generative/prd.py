"""Precision and recall for distributions (PRD, Sajjadi et al. 2018), as the Multiband VAE authors ran it.

The union of generated and real features is clustered; the two histograms over the clusters give a curve of
precision against recall, and the curve gives two numbers: precision = max F_{1/8}, recall = max F_8, with the
generator as the evaluated and the data as the reference distribution. Beta > 1 weighs recall.

One released implementation swaps the two names. Here they can be told apart by a collapsed generator, which
has high precision and low recall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.features import feature_pair

BETA = 8.0
# scikit-learn's default up to 0.22, which the authors pinned; today's default of 1024 finds other clusters.
BATCH_SIZE = 100
# The slopes 0 and infinity at the ends of the curve are not numbers.
SMALLEST_ANGLE = 1e-10


class PRD(NamedTuple):
    """Fractions in [0, 1]; 1 is best."""

    precision: float
    recall: float


def prd_precision_recall(
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    n_clusters: int = 20,
    n_angles: int = 1001,
    n_runs: int = 10,
    n_init: int = 10,
) -> PRD:
    """Maximal F_{1/8} and F_8 of the PRD curve averaged over clusterings; bit-reproducible from ``seed``.

    Args:
        generated: (N, D) features of generated samples.
        reference: (M, D) features of real samples. The larger set is subsampled to the size of the smaller:
            unequal sets would bias the clusters towards the larger one.
        seed: of the subsample and of every clustering.
        n_clusters: bins of the histograms.
        n_angles: points of the curve, at equal angles.
        n_runs: clusterings whose curves are averaged.
        n_init: starts of a clustering, of which the best is kept.

    Raises:
        MetricError: wrong shapes, values that are not finite, or fewer samples than clusters.
    """
    ours, real = feature_pair(generated, reference, at_least=1)
    n_samples = min(len(ours), len(real))
    if 2 * n_samples < n_clusters:
        raise MetricError(f"{n_samples} samples on a side: too few for {n_clusters} clusters, give more samples")
    rng = np.random.default_rng(seed)
    union = np.concatenate([_subsample(ours, n_samples, rng), _subsample(real, n_samples, rng)])
    random_states = rng.integers(2**32, size=n_runs)
    histograms = [cluster_histograms(union, n_clusters, n_init, int(state)) for state in random_states]
    evaluated, data = np.swapaxes(histograms, 0, 1)
    precision, recall = prd_curve(evaluated, data, n_angles)
    return prd_from_curve(precision.mean(axis=0), recall.mean(axis=0))


def cluster_histograms(union: np.ndarray, n_clusters: int, n_init: int, random_state: int) -> np.ndarray:
    """Share of the first and of the second half of ``union`` (2 N, D) in each cluster, shape (2, n_clusters)."""
    import sklearn
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    kmeans = MiniBatchKMeans(n_clusters, n_init=n_init, batch_size=BATCH_SIZE, random_state=random_state)
    # The order of a threaded sum decides when clustering stops; batches of 100 are no faster on more threads.
    with threadpool_limits(limits=1), sklearn.config_context(assume_finite=True):
        labels = kmeans.fit(union).labels_
    n_samples = len(union) // 2
    halves = (labels[:n_samples], labels[n_samples:])
    return np.stack([np.bincount(half, minlength=n_clusters) for half in halves]) / n_samples


def prd_curve(evaluated: np.ndarray, reference: np.ndarray, n_angles: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at each slope, the paper's alpha(lambda) and beta(lambda).

    At slope s: precision = sum_b min(s * reference_b, evaluated_b), recall = precision / s.

    Args:
        evaluated: (..., bins) shares of the generator, summing to 1 over bins.
        reference: (..., bins) shares of the data.
        n_angles: slopes are tan of as many equal steps from 0 to pi / 2.

    Returns:
        Two arrays of shape (..., n_angles).
    """
    slopes = np.tan(np.linspace(SMALLEST_ANGLE, np.pi / 2 - SMALLEST_ANGLE, n_angles))
    shared = np.minimum(slopes[:, None] * reference[..., None, :], evaluated[..., None, :])
    precision = shared.sum(axis=-1)
    return precision.clip(0, 1), (precision / slopes).clip(0, 1)


def f_beta(precision: np.ndarray, recall: np.ndarray, beta: float) -> np.ndarray:
    """F_beta = (1 + beta^2) p r / (beta^2 p + r), elementwise; 0 where both are 0."""
    numerator = (1 + beta**2) * precision * recall
    denominator = beta**2 * precision + recall
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def prd_from_curve(precision: np.ndarray, recall: np.ndarray) -> PRD:
    """Two numbers from a curve of the generator against the data: max F_{1/8} and max F_8."""
    return PRD(float(f_beta(precision, recall, 1 / BETA).max()), float(f_beta(precision, recall, BETA).max()))


def _subsample(features: np.ndarray, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    if len(features) == n_samples:
        return features
    return features[rng.choice(len(features), n_samples, replace=False)]
