"""KID against the unbiased squared MMD written out as double sums."""

import math

import numpy as np
import pytest

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.kid import kernel_distance


def unbiased_mmd(x, y):
    def kernel(a, b):
        return (math.fsum(a * b) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    within_x = math.fsum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    within_y = math.fsum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    across = math.fsum(kernel(a, b) for a in x for b in y)
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across / (n * m)


def test_two_points_by_hand():
    # k(0, 1) = 1, k(2, 3) = 7^3, across: k(0, .) = 1 twice, k(1, 2) = 27, k(1, 3) = 64.
    result = kernel_distance(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]), seed=0)
    assert result.mean == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_sets_against_double_sums(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(25, 4)).astype(dtype), (rng.normal(size=(25, 4)) * 1.3 + 0.5).astype(dtype)
    result = kernel_distance(x, y, seed=0)
    assert result.mean == pytest.approx(unbiased_mmd(x.astype(float), y.astype(float)), rel=1e-12)
    assert math.isnan(result.std)
    assert (result.subset_size, result.n_subsets) == (25, 1)


def test_subsets_of_the_larger_set_spread_around_the_whole():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 4)), rng.normal(size=(40, 4)) + 0.5
    whole = unbiased_mmd(x, y)
    for first, second in ((x, y), (y, x)):
        result = kernel_distance(first, second, seed=3)
        assert (result.subset_size, result.n_subsets) == (40, 100)
        assert result.std > 0
        assert result.mean == pytest.approx(whole, abs=4 * result.std / 10)


def test_subsets_hold_at_most_a_thousand_samples():
    rng = np.random.default_rng(2)
    result = kernel_distance(rng.normal(size=(1200, 2)), rng.normal(size=(1100, 2)), seed=0, n_subsets=2)
    assert (result.subset_size, result.n_subsets) == (1000, 2)


def test_equal_distributions_have_mean_zero_and_others_do_not():
    rng = np.random.default_rng(3)
    same = [kernel_distance(*rng.normal(size=(2, 60, 5)), seed=0).mean for _ in range(200)]
    error = np.std(same) / math.sqrt(len(same))
    assert abs(np.mean(same)) < 3 * error
    assert min(same) < 0
    x, y = rng.normal(size=(2, 60, 5))
    assert kernel_distance(x, y + 1, seed=0).mean > 20 * error


def test_seed_decides_every_bit():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    assert kernel_distance(x, y, seed=1) == kernel_distance(x, y, seed=1)
    assert kernel_distance(x, y, seed=1) != kernel_distance(x, y, seed=2)


def test_one_sample_is_refused():
    with pytest.raises(MetricError, match="1 reference samples: the metric needs at least 2"):
        kernel_distance(np.ones((4, 2)), np.ones((1, 2)), seed=0)
