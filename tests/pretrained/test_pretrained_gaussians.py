"""Class Gaussians: statistics in closed form, samples that follow them, and what has no Cholesky factor."""

import logging

import numpy as np
import pytest
import torch

from recollect.errors import RecollectError
from recollect.pretrained.gaussians import ClassGaussians


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def filled(kind="full", rank=0, dim=4, n=50, classes=(3, 1)):
    made = ClassGaussians(dim, kind, rank)
    mixing = torch.randn(dim, dim, generator=generator(5))
    data = {}
    for c in classes:
        data[c] = torch.randn(n, dim, generator=generator(c)) @ mixing + c
        made.add(c, data[c])
    return made, data


def test_mean_and_unbiased_covariance_plus_ridge():
    made, data = filled()
    for c, x in data.items():
        np.testing.assert_allclose(made.means[made.classes.index(c)], x.numpy().mean(0), rtol=1e-5, atol=1e-6)
        expected = np.cov(x.numpy(), rowvar=False, ddof=1) + 1e-4 * np.eye(4)
        np.testing.assert_allclose(made.covariance(c), expected, rtol=1e-4, atol=1e-5)


def test_low_rank_is_exact_at_full_rank_and_keeps_the_diagonal_at_any():
    full, _ = filled()
    exact, _ = filled("low_rank", rank=4)
    one, _ = filled("low_rank", rank=1)
    torch.testing.assert_close(exact.covariance(3), full.covariance(3), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.covariance(3).diagonal(), full.covariance(3).diagonal(), rtol=1e-4, atol=1e-5)
    assert one.spreads[0].shape == (2, 4)


def test_diagonal_keeps_variances_alone():
    full, _ = filled()
    diagonal, _ = filled("diagonal")
    torch.testing.assert_close(diagonal.covariance(1), full.covariance(1).diagonal().diag(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "rank"), [("full", 0), ("low_rank", 2), ("diagonal", 0)])
def test_samples_have_the_stored_moments(kind, rank):
    made, _ = filled(kind, rank)
    z, y = made.sample(40_000, generator())
    assert z.shape == (80_000, 4)
    assert y.tolist()[:1] + y.tolist()[-1:] == [3, 1]
    for c in (3, 1):
        mine = z[y == c]
        covariance = made.covariance(c)
        scale = covariance.diagonal().sqrt().max()
        torch.testing.assert_close(mine.mean(0), made.means[made.classes.index(c)], rtol=0, atol=0.03 * scale)
        torch.testing.assert_close(mine.T.cov(), covariance, rtol=0, atol=0.05 * scale**2)


def test_same_seed_same_samples_and_means_can_be_scaled():
    made, _ = filled()
    a, _ = made.sample(5, generator(1))
    b, y = made.sample(5, generator(1), scale=lambda label: 0.5 if label == 3 else 1.0)
    assert torch.equal(a[y == 1], b[y == 1])
    torch.testing.assert_close(a[y == 3] - b[y == 3], (made.means[0] / 2).expand(5, 4))


def test_more_classes_than_a_block_equal_one_by_one():
    made, _ = filled(classes=range(35), dim=3)
    z, y = made.sample(1000, generator())
    assert y.unique().tolist() == list(range(35))
    for c in (0, 16, 34):
        torch.testing.assert_close(z[y == c].mean(0), made.means[c], rtol=0, atol=0.5)


def test_class_with_a_single_image_gets_the_ridge(caplog):
    made = ClassGaussians(3)
    with caplog.at_level(logging.WARNING):
        made.add(7, torch.tensor([[1.0, 2.0, 3.0]]))
    assert "class 7 has a single image" in caplog.text
    torch.testing.assert_close(made.covariance(7), 1e-4 * torch.eye(3))
    z, _ = made.sample(100, generator())
    assert (z - made.means[0]).abs().max() < 0.1


def test_fewer_images_than_dimensions_are_factored_thanks_to_the_ridge():
    made = ClassGaussians(64)
    made.add(0, torch.randn(5, 64, generator=generator()))
    z, _ = made.sample(3, generator())
    assert torch.isfinite(z).all()
    assert made.ridges == {}


def test_covariance_without_factor_gets_ten_times_the_ridge_and_it_is_said(caplog):
    made, _ = filled()
    rows, columns = torch.tril_indices(4, 4)
    broken = made.covariance(1).clone()
    broken[0, 0] = -5e-4  # positive once 1e-3, ten times the ridge, is added
    broken[0, 1:] = broken[1:, 0] = 0
    made.spreads[1] = broken[rows, columns]
    with caplog.at_level(logging.WARNING):
        z, _ = made.sample(2, generator())
    assert torch.isfinite(z).all()
    assert made.ridges == {1: pytest.approx(1e-3)}
    assert "covariance of class 1 is not positive definite: 0.001 was added" in caplog.text


def test_hopeless_covariance_and_bad_features_are_refused():
    made, _ = filled()
    made.spreads[1] = torch.full((10,), torch.nan)
    with pytest.raises(RecollectError, match="class 1 has no Cholesky factor"):
        made.sample(2, generator())
    with pytest.raises(RecollectError, match="features of class 2 are not finite"):
        made.add(2, torch.full((3, 4), torch.inf))
    with pytest.raises(RecollectError, match="covariance_rank is 9"):
        ClassGaussians(4, "low_rank", 9)


def test_a_full_covariance_is_kept_once_and_packed():
    made, _ = filled(dim=20, classes=(0,))
    assert made.spreads[0].numel() == 210


def test_state_comes_back():
    made, _ = filled()
    again = ClassGaussians(4)
    again.load_state_dict(made.state_dict())
    assert torch.equal(made.sample(3, generator())[0], again.sample(3, generator())[0])
