"""PRD on histograms worked out by hand, on clusterings done by hand, and on generators that fail in known ways."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.prd import (
    cluster_histograms,
    f_beta,
    prd_curve,
    prd_from_curve,
    prd_precision_recall,
)

CENTRES = 20 * np.eye(5)


def modes(rng, which, n_samples=600):
    """Samples spread evenly over some of five modes far apart, float32 (N, 5)."""
    return (CENTRES[np.resize(which, n_samples)] + rng.normal(size=(n_samples, 5))).astype(np.float32)


# The curve --------------------------------------------------------------------------------------------


def test_two_bin_curve_by_hand():
    # Slope s: precision = min(s/4, 3/4) + min(3s/4, 1/4), recall = precision / s.
    # Angles 0, pi/4, pi/2 are slopes 0, 1, infinity. At 1: 1/4 + 1/4. At the ends one side is shared whole.
    precision, recall = prd_curve(np.array([0.75, 0.25]), np.array([0.25, 0.75]), 3)
    np.testing.assert_allclose(precision, [0, 0.5, 1], atol=1e-9)
    np.testing.assert_allclose(recall, [1, 0.5, 0], atol=1e-9)


def test_curve_of_a_generator_that_lost_a_bin_by_hand():
    # Slope s: precision = min(s/2, 1), recall = min(1/2, 1/s): the data's second half is never recalled.
    precision, recall = prd_curve(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 1001)
    slopes = np.tan(np.linspace(0, math.pi / 2, 1001)[1:-1])
    np.testing.assert_allclose(precision[1:-1], np.minimum(slopes / 2, 1))
    np.testing.assert_allclose(recall[1:-1], np.minimum(0.5, 1 / slopes))
    assert recall.max() == pytest.approx(0.5)
    assert precision.max() == 1.0


def test_curve_of_equal_histograms_reaches_one_and_one():
    share = np.array([0.2, 0.5, 0.3])
    precision, recall = prd_curve(share, share, 1001)
    assert precision[500] == pytest.approx(1.0)
    assert recall[500] == pytest.approx(1.0)


def test_curve_of_disjoint_histograms_is_zero():
    precision, recall = prd_curve(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 1001)
    assert precision.max() == 0.0
    assert recall.max() == 0.0
    assert prd_from_curve(precision, recall) == (0.0, 0.0)


histograms = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6).filter(
    lambda bins: all(sum(side) for side in zip(*bins, strict=True))
)


@given(histograms)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_curve_against_a_slow_loop(bins):
    counts = np.array(bins, float).T
    evaluated, reference = counts / counts.sum(axis=1, keepdims=True)
    precision, recall = prd_curve(evaluated, reference, 7)
    for i in range(1, 6):
        slope = math.tan(i * math.pi / 12)
        alpha = math.fsum(min(slope * r, e) for e, r in zip(evaluated, reference, strict=True))
        beta = math.fsum(min(r, e / slope) for e, r in zip(evaluated, reference, strict=True))
        assert precision[i] == pytest.approx(alpha, abs=1e-8)
        assert recall[i] == pytest.approx(beta, abs=1e-8)
    assert 0 <= precision.min() <= precision.max() <= 1
    assert 0 <= recall.min() <= recall.max() <= 1


def test_several_curves_at_once_are_the_single_ones():
    rng = np.random.default_rng(0)
    evaluated, reference = rng.dirichlet(np.ones(20), size=(2, 4))
    precision, recall = prd_curve(evaluated, reference, 101)
    for run in range(4):
        alone = prd_curve(evaluated[run], reference[run], 101)
        np.testing.assert_array_equal(np.stack([precision[run], recall[run]]), np.stack(alone))


# Two numbers from the curve ---------------------------------------------------------------------------


def test_f_beta_by_hand():
    # (1 + 64) * .5 / (64 * 1 + .5), and with 1/64 for 64: beta above 1 looks at recall.
    assert f_beta(np.array([1.0]), np.array([0.5]), 8) == pytest.approx(32.5 / 64.5)
    assert f_beta(np.array([1.0]), np.array([0.5]), 1 / 8) == pytest.approx(32.5 / 33)
    np.testing.assert_array_equal(f_beta(np.zeros(2), np.array([0.0, 1.0]), 8), [0.0, 0.0])


def test_maxima_are_taken_for_each_number_by_itself():
    # F_8 of the points: 65*.09/(57.6+.1) = .101, 65*.25/(32+.5) = .5, 65*.16/(12.8+.8) = .765
    # F_1/8, times 64 above and below: 65*.09/(.9+6.4) = .801, 65*.25/(.5+32) = .5, 65*.16/(.2+51.2) = .202
    precision, recall = np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.5, 0.8])
    result = prd_from_curve(precision, recall)
    assert result.precision == pytest.approx(65 * 0.09 / (0.9 + 6.4))
    assert result.recall == pytest.approx(65 * 0.16 / (12.8 + 0.8))


def test_lost_bin_by_hand():
    # Best point of both: precision 1, recall 1/2 (slope 2, which the 1001 angles only come close to).
    result = prd_from_curve(*prd_curve(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 1001))
    assert result == pytest.approx((32.5 / 33, 32.5 / 64.5), abs=2e-3)


def test_extra_bin_by_hand():
    result = prd_from_curve(*prd_curve(np.array([0.5, 0.5]), np.array([1.0, 0.0]), 1001))
    assert result == pytest.approx((32.5 / 64.5, 32.5 / 33), abs=2e-3)


# Clustering -------------------------------------------------------------------------------------------


def test_histograms_of_separate_points_by_hand():
    generated = np.array([[0.0], [0.0], [0.0], [9.0]])
    reference = np.array([[9.0], [9.0], [0.0], [9.0]])
    shares = cluster_histograms(np.concatenate([generated, reference]), 2, 10, random_state=3)
    assert sorted(shares.T.tolist()) == [[0.25, 0.75], [0.75, 0.25]]


def test_histograms_are_the_published_clustering():
    rng = np.random.default_rng(1)
    union = rng.normal(size=(500, 6))
    with threadpool_limits(limits=1):
        labels = MiniBatchKMeans(n_clusters=20, n_init=10, batch_size=100, random_state=5).fit(union).labels_
    expected = [[np.mean(labels[part] == b) for b in range(20)] for part in (slice(250), slice(250, None))]
    np.testing.assert_allclose(cluster_histograms(union, 20, 10, random_state=5), expected)


def test_curves_are_averaged_over_runs():
    rng = np.random.default_rng(2)
    generated, reference = rng.normal(size=(300, 4)), rng.normal(size=(300, 4)) + 0.5
    states = np.random.default_rng(9).integers(2**32, size=10)
    union = np.concatenate([generated, reference])
    curves = [prd_curve(*cluster_histograms(union, 20, 10, int(state)), 1001) for state in states]
    expected = prd_from_curve(*np.mean(curves, axis=0))
    assert prd_precision_recall(generated, reference, seed=9) == pytest.approx(expected)


# Generators that fail in known ways -------------------------------------------------------------------


def test_copy_of_the_data_is_perfect():
    data = modes(np.random.default_rng(3), range(5))
    assert prd_precision_recall(data, data.copy(), seed=0) == pytest.approx((1.0, 1.0))


def test_same_distribution_is_nearly_perfect():
    rng = np.random.default_rng(4)
    result = prd_precision_recall(modes(rng, range(5)), modes(rng, range(5)), seed=0)
    assert min(result) > 0.95


def test_collapsed_generator_has_high_precision_and_low_recall():
    rng = np.random.default_rng(5)
    result = prd_precision_recall(modes(rng, [0]), modes(rng, range(5)), seed=0)
    # With every sample in a mode of the data and a fifth of the data found: 65*.2/(1+12.8) and 65*.2/(64+.2).
    assert result.precision == pytest.approx(0.942, abs=0.06)
    assert result.recall == pytest.approx(0.202, abs=0.01)


def test_generator_with_modes_of_its_own_has_lower_precision_and_high_recall():
    rng = np.random.default_rng(6)
    result = prd_precision_recall(modes(rng, range(5)), modes(rng, [0, 1]), seed=0)
    assert result.precision < 0.6
    assert result.recall > 0.9


def test_generator_beside_the_data_has_neither():
    rng = np.random.default_rng(7)
    assert prd_precision_recall(modes(rng, [0, 1]), modes(rng, [2, 3, 4]), seed=0) == (0.0, 0.0)


def test_two_modes_and_two_clusters_by_hand():
    rng = np.random.default_rng(8)
    result = prd_precision_recall(modes(rng, [0]), modes(rng, [0, 1]), seed=0, n_clusters=2)
    assert result == pytest.approx((32.5 / 33, 32.5 / 64.5), abs=2e-3)


# Sample counts, seeds, threads ------------------------------------------------------------------------


def test_larger_set_is_subsampled():
    # Thirty times the data would outweigh the generator; balanced, it is the two-bin case by hand again.
    rng = np.random.default_rng(10)
    small, large = modes(rng, [0], 200), modes(rng, [0, 1], 6000)
    expected = (32.5 / 33, 32.5 / 64.5)
    assert prd_precision_recall(small, large, seed=0, n_clusters=2) == pytest.approx(expected, abs=0.06)
    assert prd_precision_recall(large, small, seed=0, n_clusters=2) == pytest.approx(expected[::-1], abs=0.06)


def test_seed_decides_every_bit():
    rng = np.random.default_rng(11)
    generated, reference = rng.normal(size=(400, 8)), rng.normal(size=(300, 8)) + 0.3
    np.random.seed(1)  # noqa: NPY002
    first = prd_precision_recall(generated, reference, seed=5)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with threadpool_limits(limits=2):
        assert prd_precision_recall(generated, reference, seed=5) == first
    assert prd_precision_recall(generated, reference, seed=6) != first
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_fewer_samples_than_clusters_are_refused():
    with pytest.raises(MetricError, match="9 samples on a side: too few for 20 clusters, give more samples"):
        prd_precision_recall(np.ones((9, 2)), np.ones((30, 2)), seed=0)
