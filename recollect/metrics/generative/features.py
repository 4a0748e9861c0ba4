"""The one check that every metric on features makes before it computes anything."""

from __future__ import annotations

import numpy as np

from recollect.metrics.accuracy import MetricError

# Beyond float32, products of features overflow, and neighbours and clusters then answer "perfect".
LARGEST = float(np.finfo(np.float32).max)


def feature_pair(generated: np.ndarray, reference: np.ndarray, *, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Both feature sets in float64, since sums over float32 lose the digits in which good generators differ.

    Args:
        generated: (N, D) features of generated samples.
        reference: (M, D) features of real samples from the same extractor.
        at_least: samples that the metric needs on each side.

    Raises:
        MetricError: not 2-D, different D, too few samples, or values that are not finite in float32.
    """
    ours = _checked("generated", np.asarray(generated, np.float64), at_least)
    real = _checked("reference", np.asarray(reference, np.float64), at_least)
    if ours.shape[1] != real.shape[1]:
        raise MetricError(
            f"{ours.shape[1]} generated and {real.shape[1]} reference features: different extractors, "
            "use the same one for both"
        )
    return ours, real


def _checked(name: str, features: np.ndarray, at_least: int) -> np.ndarray:
    if features.ndim != 2 or features.shape[1] == 0:
        raise MetricError(f"{name} features of shape {features.shape}: give an array of shape (samples, features)")
    if len(features) < at_least:
        raise MetricError(f"{len(features)} {name} samples: the metric needs at least {at_least}, give more")
    broken = int((~(np.abs(features) <= LARGEST)).any(axis=1).sum())
    if broken:
        raise MetricError(
            f"{broken} of {len(features)} {name} samples have features that are not finite: "
            "the generator or the extractor diverged, look at its samples before scoring them"
        )
    return features
