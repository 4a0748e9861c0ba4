"""Frechet distance between two sets of features, each taken as a Gaussian (FID, Heusel et al. 2017).

FID = |mu_1 - mu_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)), with unbiased covariances, in squared feature units.

Tables use ``frechet_distance`` (torch-fidelity). ``frechet_distance_scipy`` is the cross-check that shares no
step with it.
"""

from __future__ import annotations

import warnings

import numpy as np

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.features import feature_pair

SINGULAR_OFFSET = 1e-6


def rank_deficient(n_generated: int, n_reference: int, n_features: int) -> bool:
    """Whether a sample covariance must be singular: N samples span at most N - 1 directions."""
    return min(n_generated, n_reference) < n_features + 1


def frechet_distance(generated: np.ndarray, reference: np.ndarray, *, allow_rank_deficient: bool = False) -> float:
    """FID through torch-fidelity; the number that tables show.

    torch-fidelity sums the square roots of the eigenvalues of C_1 C_2 and drops imaginary parts. It adds nothing
    to a singular covariance: it needs no matrix root and so no offset. Identical sets give 0 up to rounding,
    which can be slightly negative.

    Args:
        generated: (N, D) features of generated samples.
        reference: (M, D) features of real samples.
        allow_rank_deficient: compute with fewer than D + 1 samples too. Such an FID depends strongly on the
            sample counts: say so wherever it is shown.

    Raises:
        MetricError: wrong shapes, values that are not finite, fewer than 2 samples, or fewer than D + 1
            without ``allow_rank_deficient``.
    """
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics

    pair = _checked(generated, reference, allow_rank_deficient)
    ours, real = (fid_features_to_statistics(torch.from_numpy(features)) for features in pair)
    return frechet_from_statistics(ours["mu"], ours["sigma"], real["mu"], real["sigma"])


def frechet_from_statistics(mu1: np.ndarray, cov1: np.ndarray, mu2: np.ndarray, cov2: np.ndarray) -> float:
    """FID of two Gaussians through torch-fidelity.

    Args:
        mu1: (D,) mean; ``mu2`` likewise.
        cov1: (D, D) covariance, or a number where D = 1; ``cov2`` likewise.

    Raises:
        MetricError: shapes that do not belong together, or values that are not finite.
    """
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    first, second = _gaussian(mu1, cov1), _gaussian(mu2, cov2)
    if first["mu"].shape != second["mu"].shape:
        raise MetricError(
            f"means of {len(first['mu'])} and {len(second['mu'])} features: use one extractor for both"
        )
    return float(fid_statistics_to_metric(first, second, verbose=False)[KEY_METRIC_FID])


def frechet_distance_scipy(
    generated: np.ndarray, reference: np.ndarray, *, allow_rank_deficient: bool = False
) -> float:
    """FID through SciPy's matrix root; the cross-check, not for tables. Arguments as in ``frechet_distance``.

    As the Adapt & Align authors compute it: where the root is not finite, 1e-6 is added to both diagonals
    under the root, and imaginary parts are dropped.
    """
    ours, real = _checked(generated, reference, allow_rank_deficient)
    gap = ours.mean(axis=0) - real.mean(axis=0)
    cov1, cov2 = _covariance(ours), _covariance(real)
    return float(gap @ gap + np.trace(cov1) + np.trace(cov2) - 2 * _trace_of_root(cov1, cov2))


def _checked(
    generated: np.ndarray, reference: np.ndarray, allow_rank_deficient: bool
) -> tuple[np.ndarray, np.ndarray]:
    ours, real = feature_pair(generated, reference, at_least=2)
    n_features = ours.shape[1]
    if rank_deficient(len(ours), len(real), n_features) and not allow_rank_deficient:
        raise MetricError(
            f"{len(ours)} generated and {len(real)} reference samples for {n_features} features: with fewer than "
            f"{n_features + 1} samples the covariance is singular and the FID depends on their number; give more "
            "samples, or set allow_rank_deficient and say so beside the number"
        )
    return ours, real


def _gaussian(mu: np.ndarray, cov: np.ndarray) -> dict[str, np.ndarray]:
    mean, covariance = np.asarray(mu, np.float64), np.asarray(cov, np.float64)
    if covariance.ndim == 0:
        covariance = covariance.reshape(1, 1)
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise MetricError(
            f"mean of shape {mean.shape} and covariance of shape {covariance.shape}: give (features,) and "
            "(features, features)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise MetricError("mean or covariance not finite: look at the features they were computed from")
    return {"mu": mean, "sigma": covariance}


def _covariance(features: np.ndarray) -> np.ndarray:
    centred = features - features.mean(axis=0)
    return centred.T @ centred / (len(features) - 1)


def _trace_of_root(cov1: np.ndarray, cov2: np.ndarray) -> float:
    from scipy.linalg import sqrtm

    with warnings.catch_warnings():
        # A singular product is the case handled below, not news for the user.
        warnings.simplefilter("ignore")
        root = sqrtm(cov1 @ cov2)
        if not np.isfinite(root).all():
            offset = SINGULAR_OFFSET * np.eye(len(cov1))
            root = sqrtm((cov1 + offset) @ (cov2 + offset))
    return float(np.trace(root).real)
