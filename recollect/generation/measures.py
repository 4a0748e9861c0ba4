"""What is measured on features of samples and images: of pictures FID and its like, of ZDC channels distances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recollect.metrics.generative.features import feature_pair
from recollect.metrics.generative.frechet import frechet_distance
from recollect.metrics.generative.kid import kernel_distance
from recollect.metrics.generative.knn import knn_precision_recall
from recollect.metrics.generative.prd import prd_precision_recall
from recollect.metrics.generative.wasserstein import N_CHANNELS

KID_SUBSETS = 10


@dataclass(frozen=True)
class Measures:
    """Functions of features (n, D) of samples and of images to named numbers.

    Attributes:
        always: taken of every task after every task.
        finally_too: taken after the last task only, with a seed.
        covariances: whether `always` rests on them, so that fewer samples than features are to be noted.
    """

    always: Callable[[np.ndarray, np.ndarray], dict[str, float]]
    finally_too: Callable[[np.ndarray, np.ndarray, int], dict[str, float]]
    covariances: bool


def fid(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Fréchet distance, of fewer samples than features too."""
    return {"fid": frechet_distance(made, real, allow_rank_deficient=True)}


def coverage(made: np.ndarray, real: np.ndarray, seed: int) -> dict[str, float]:
    """What is measured beside FID."""
    prd = prd_precision_recall(made, real, seed=seed)
    knn = knn_precision_recall(made, real)
    kid = kernel_distance(made, real, seed=seed, n_subsets=KID_SUBSETS)
    return {
        "precision": prd.precision,
        "recall": prd.recall,
        "knn_precision": knn.precision,
        "knn_recall": knn.recall,
        "kid": kid.mean,
    }


def channel_distances(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Wasserstein-1 distances on features of `zdc_channels`: sums of log images, then of photons, (n, 5) each.

    As `metrics.generative.wasserstein` computes them from images: pooled over the channels of the log images, and
    the mean over channels of photons.
    """
    from scipy.stats import wasserstein_distance

    ours, theirs = feature_pair(made, real, at_least=1)
    distances = [wasserstein_distance(ours[:, c], theirs[:, c]) for c in range(N_CHANNELS, 2 * N_CHANNELS)]
    pooled = wasserstein_distance(ours[:, :N_CHANNELS].ravel(), theirs[:, :N_CHANNELS].ravel())
    return {"w1_log_pooled": float(pooled), "w1_channels": float(np.mean(distances))}


def nothing(made: np.ndarray, real: np.ndarray, seed: int) -> dict[str, float]:
    """No more than what is always measured."""
    return {}


MEASURES = {"features": Measures(fid, coverage, True), "channels": Measures(channel_distances, nothing, False)}
"""By what an extractor is made for (`ExtractorSpec.measured`)."""
