"""FID against Gaussians with known statistics, closed forms, and SciPy's matrix root."""

import math

import numpy as np
import pytest
import scipy.linalg

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.frechet import (
    frechet_distance,
    frechet_distance_scipy,
    frechet_from_statistics,
    rank_deficient,
)

DISTANCES = {"torch-fidelity": frechet_distance, "scipy": frechet_distance_scipy}
both = pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)


def axis_points(mean, scales):
    """2 D samples, mean +- scale along each axis: sample mean ``mean``, covariance diag(2 scale^2 / (2 D - 1))."""
    spread = np.diag(scales)
    return mean + np.concatenate([spread, -spread])


def with_statistics(rng, n_samples, mean, cov):
    """Samples whose mean and unbiased covariance are exactly those given."""
    noise = rng.normal(size=(n_samples, len(mean)))
    noise -= noise.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(noise, rowvar=False)), noise.T).T
    return white @ np.linalg.cholesky(cov).T + mean


def random_covariance(rng, n_features):
    root = rng.normal(size=(n_features, 2 * n_features))
    return root @ root.T / n_features


def symmetric_form(features1, features2):
    """FID with tr (C1^1/2 C2 C1^1/2)^1/2 from symmetric eigenvalues, stable for singular covariances."""
    cov1, cov2 = (np.cov(f, rowvar=False) for f in (features1, features2))
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ cov2 @ root).clip(0)).sum()
    gap = features1.mean(axis=0) - features2.mean(axis=0)
    return gap @ gap + np.trace(cov1) + np.trace(cov2) - 2 * shared


@both
def test_diagonal_covariances_by_hand(distance):
    # 6 samples in 3 dimensions: covariance 2 s^2 / 5. FID = |(1, 2, 2)|^2 + 2/5 ((3-1)^2 + 0 + (5-2)^2) = 9 + 5.2
    ours = axis_points(np.zeros(3), [1.0, 4.0, 2.0])
    real = axis_points(np.array([1.0, 2.0, 2.0]), [3.0, 4.0, 5.0])
    assert distance(ours, real) == pytest.approx(14.2, abs=1e-6)
    assert distance(real, ours) == pytest.approx(14.2, abs=1e-6)
    assert type(distance(ours, real)) is float


@both
def test_one_feature_by_hand(distance):
    # variances 2 and 8: FID = (3 - 0)^2 + (sqrt 8 - sqrt 2)^2 = 9 + 2
    assert distance(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])) == pytest.approx(11.0)


@both
def test_covariances_that_do_not_commute(distance):
    # In two dimensions tr M^1/2 = sqrt(tr M + 2 sqrt(det M)).
    cov1, cov2 = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 0.5], [0.5, 0.5]])
    assert not np.allclose(cov1 @ cov2, cov2 @ cov1)
    product = cov1 @ cov2
    expected = 5 + 1.5 - 2 * math.sqrt(np.trace(product) + 2 * math.sqrt(np.linalg.det(product)))
    rng = np.random.default_rng(1)
    ours = with_statistics(rng, 10, np.zeros(2), cov1)
    assert distance(ours, with_statistics(rng, 50, np.zeros(2), cov2)) == pytest.approx(expected)
    assert distance(ours, with_statistics(rng, 50, np.array([3, 4]), cov2)) == pytest.approx(expected + 25)
    assert frechet_from_statistics(np.zeros(2), cov1, np.zeros(2), cov2) == pytest.approx(expected)


@both
def test_large_samples_of_two_gaussians(distance):
    rng = np.random.default_rng(2)
    n_features = 6
    mean = rng.normal(size=n_features)
    cov1, cov2 = random_covariance(rng, n_features), random_covariance(rng, n_features)
    shared = np.trace(scipy.linalg.sqrtm(cov1 @ cov2)).real
    expected = mean @ mean + np.trace(cov1) + np.trace(cov2) - 2 * shared
    ours = rng.multivariate_normal(np.zeros(n_features), cov1, 40_000)
    real = rng.multivariate_normal(mean, cov2, 30_000)
    assert distance(ours, real) == pytest.approx(expected, rel=0.02)


@both
def test_same_samples_have_distance_zero(distance):
    features = np.random.default_rng(3).normal(size=(300, 20))
    assert distance(features, features.copy()) == pytest.approx(0.0, abs=1e-9)


@both
def test_mean_is_not_taken_in_float32(distance):
    features = (axis_points(np.zeros(2), [1.0, 1.0]) + 4096).astype(np.float32).repeat(25_000, axis=0)
    assert distance(features, features + np.float32(1)) == pytest.approx(2.0, abs=1e-6)


def test_both_ways_agree_on_ordinary_features():
    rng = np.random.default_rng(4)
    ours = rng.normal(size=(400, 84)) @ rng.normal(size=(84, 84))
    real = rng.normal(size=(300, 84)) @ rng.normal(size=(84, 84)) + 2
    assert frechet_distance(ours, real) == pytest.approx(frechet_distance_scipy(ours, real), rel=1e-9)
    assert frechet_distance(ours, real) == pytest.approx(symmetric_form(ours, real), rel=1e-9)


def nearly_singular(rng, kind):
    ours, real = rng.normal(size=(200, 12)), 1.5 * rng.normal(size=(250, 12)) + 1
    if kind == "dead features":
        ours[:, :4] = real[:, 2:6] = 0
    elif kind == "copied features":
        ours[:, 6:], real[:, 6:] = ours[:, :6], real[:, :6] @ rng.normal(size=(6, 6))
    elif kind == "almost copied":
        ours[:, 6:] = ours[:, :6] + 1e-7 * ours[:, 6:]
    elif kind == "collapsed":
        ours[:] = ours[0]
    return ours, real


@pytest.mark.parametrize("kind", ["dead features", "copied features", "almost copied", "collapsed"])
def test_both_ways_agree_on_singular_covariances(kind):
    ours, real = nearly_singular(np.random.default_rng(5), kind)
    expected = symmetric_form(ours, real)
    assert frechet_distance(ours, real) == pytest.approx(expected, abs=1e-3)
    assert frechet_distance_scipy(ours, real) == pytest.approx(expected, abs=1e-3)


def test_scipy_adds_an_offset_where_its_root_fails(monkeypatch):
    asked = []

    def failing_once(matrix):
        asked.append(matrix)
        return np.full_like(matrix, np.nan) if len(asked) == 1 else np.sqrt(matrix)

    monkeypatch.setattr(scipy.linalg, "sqrtm", failing_once)
    points = axis_points(np.zeros(2), [math.sqrt(1.5), 0.0])
    # Covariances diag(1, 0): the offset root has trace 1 + 2e-6, the traces outside the root have no offset.
    assert frechet_distance_scipy(points, points) == pytest.approx(2 - 2 * (1 + 2e-6), abs=1e-12)
    np.testing.assert_allclose(np.diag(asked[1]), [(1 + 1e-6) ** 2, 1e-12])


# Too few samples --------------------------------------------------------------------------------------


def test_rank_deficient_by_hand():
    assert not rank_deficient(4, 4, 3)
    assert rank_deficient(3, 4, 3)
    assert rank_deficient(4, 3, 3)


def test_rank_deficiency_is_what_the_covariance_shows():
    features = np.random.default_rng(6).normal(size=(9, 8))
    assert np.linalg.matrix_rank(np.cov(features, rowvar=False)) == 8
    assert np.linalg.matrix_rank(np.cov(features[:8], rowvar=False)) == 7


@both
def test_too_few_samples_are_refused_unless_said_otherwise(distance):
    rng = np.random.default_rng(7)
    ours, real = rng.normal(size=(20, 30)), rng.normal(size=(31, 30))
    message = r"20 generated and 31 reference samples for 30 features: with fewer than 31 samples .* give more"
    with pytest.raises(MetricError, match=message):
        distance(ours, real)
    with pytest.raises(MetricError, match="31 generated and 20 reference samples"):
        distance(real, ours)
    assert distance(ours, real, allow_rank_deficient=True) == pytest.approx(symmetric_form(ours, real), abs=1e-3)
    assert distance(real, real) == pytest.approx(0.0, abs=1e-6)


@both
def test_one_sample_is_always_refused(distance):
    with pytest.raises(MetricError, match="1 generated samples: the metric needs at least 2"):
        distance(np.ones((1, 1)), np.ones((5, 1)), allow_rank_deficient=True)


# Statistics given directly ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "cov", "message"),
    [
        (np.zeros((2, 2)), np.eye(2), r"mean of shape \(2, 2\) and covariance of shape \(2, 2\): give"),
        (np.zeros(2), np.ones(4), r"mean of shape \(2,\) and covariance of shape \(4,\): give"),
        (
            np.zeros(2),
            np.ones((1, 4)),
            r"shape \(1, 4\): give \(features,\) and \(features, features\)",
        ),
        (np.zeros(3), np.eye(3), "means of 3 and 2 features: use one extractor for both"),
        (np.array([0, np.nan]), np.eye(2), "mean or covariance not finite"),
        (np.zeros(2), np.diag([1, np.inf]), "mean or covariance not finite"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(mean, cov, message):
    with pytest.raises(MetricError, match=message):
        frechet_from_statistics(mean, cov, np.zeros(2), np.eye(2))
