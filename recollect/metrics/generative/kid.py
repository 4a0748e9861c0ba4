"""Kernel distance between two sets of features (KID, Binkowski et al. 2018), through torch-fidelity.

The unbiased squared MMD with the kernel k(x, y) = (x.y / D + 1)^3, mean and spread over random subsets. Being
unbiased, it is comparable between sample counts where FID is not, and slightly negative for equal distributions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recollect.metrics.generative.features import feature_pair

LARGEST_SUBSET = 1000


class Kid(NamedTuple):
    """Mean and standard deviation over subsets, and what they were taken over.

    ``std`` is NaN for a single subset. It is the spread of a subset's value, not an error of the mean.
    """

    mean: float
    std: float
    subset_size: int
    n_subsets: int


def kernel_distance(generated: np.ndarray, reference: np.ndarray, *, seed: int, n_subsets: int = 100) -> Kid:
    """KID over subsets of min(1000, smaller N) samples.

    100 subsets of 1000 take 3 to 9 s of one core, nearly all of it in the cubic power.

    Args:
        generated: (N, D) features of generated samples.
        reference: (M, D) features of real samples.
        seed: of the subsets, below 2^32.
        n_subsets: subsets drawn from each side; one where a subset is all there is on both sides, since any
            other has the same value.

    Raises:
        MetricError: wrong shapes, values that are not finite, or fewer than 2 samples.
    """
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    ours, real = feature_pair(generated, reference, at_least=2)
    subset_size = min(LARGEST_SUBSET, len(ours), len(real))
    drawn = 1 if subset_size == len(ours) == len(real) else n_subsets
    settings = {
        "kid_kernel": "poly",
        "kid_kernel_poly_degree": 3,
        "kid_kernel_poly_gamma": None,
        "kid_kernel_poly_coef0": 1,
        "kid_subsets": drawn,
        "kid_subset_size": subset_size,
        "rng_seed": seed,
        "verbose": False,
    }
    result = kid_features_to_metric(torch.from_numpy(ours), torch.from_numpy(real), **settings)
    std = result[KEY_METRIC_KID_STD] if drawn > 1 else float("nan")
    return Kid(result[KEY_METRIC_KID_MEAN], std, subset_size, drawn)
