"""The five channels of a ZDC image pixel by pixel, and two distances that must never be one another."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.wasserstein import (
    channel_masks,
    channel_sums,
    zdc_wasserstein_channels,
    zdc_wasserstein_log_pooled,
)

BOTH = {"log pooled": zdc_wasserstein_log_pooled, "channels": zdc_wasserstein_channels}
both = pytest.mark.parametrize("distance", BOTH.values(), ids=BOTH)
# One pixel for each channel: r + c even in the four quadrants, r + c odd.
PIXELS = [(0, 0), (1, 23), (22, 2), (43, 43), (21, 22)]


def image(*channels):
    """A 44x44 image of log(1 + photons) with the given photons in each of the five channels."""
    photons = np.zeros((44, 44))
    for pixel, value in zip(PIXELS, channels, strict=True):
        photons[pixel] = value
    return np.log1p(photons)


def test_one_pixel_in_each_channel():
    single = np.zeros((1, 44, 44))
    for value, pixel in enumerate(PIXELS, start=1):
        single[0][pixel] = value
    assert channel_sums(single).tolist() == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("pixel", "channel"),
    [
        ((21, 21), 0), ((20, 0), 0), ((0, 22), 1), ((21, 43), 1), ((22, 0), 2), ((43, 21), 2), ((22, 22), 3),
        ((0, 1), 4), ((1, 0), 4), ((0, 43), 4), ((43, 0), 4), ((22, 21), 4), ((22, 23), 4),
    ],
)  # fmt: skip
def test_pixels_at_the_edges_of_their_channel(pixel, channel):
    single = np.zeros((1, 44, 44))
    single[0][pixel] = 1
    assert channel_sums(single)[0].tolist() == np.eye(5)[channel].tolist()


def test_every_pixel_is_in_one_channel():
    masks = channel_masks()
    assert masks.shape == (5, 44, 44)
    assert (masks.sum(axis=0) == 1).all()
    assert masks.sum(axis=(1, 2)).tolist() == [242, 242, 242, 242, 968]


def test_sums_do_not_mix_images_and_keep_digits():
    images = np.random.default_rng(0).normal(size=(3, 44, 44)).astype(np.float32)
    sums = channel_sums(images)
    assert sums.dtype == np.float64
    assert sums.shape == (3, 5)
    np.testing.assert_allclose(sums.sum(axis=1), images.astype(float).sum(axis=(1, 2)))
    np.testing.assert_allclose(sums[1], channel_sums(images[1:2])[0])


def test_channels_by_hand():
    # Sorted photons per channel: 1 against 4, 2 = 2, 3 = 3, 4 against 2, 10 against 15: (3 + 0 + 0 + 2 + 5) / 5
    ours, real = image(1, 2, 3, 4, 10)[None], image(4, 2, 3, 2, 15)[None]
    assert zdc_wasserstein_channels(ours, real) == pytest.approx(2.0)


def test_log_pooled_by_hand():
    # log(1 + photons), sorted: 0 1 2 3 4 against 0 1 2 3 9, in whatever channel: 5 / 5
    ours = image(*np.expm1([3, 1, 4, 0, 2]))[None]
    real = image(*np.expm1([0, 9, 2, 1, 3]))[None]
    assert zdc_wasserstein_log_pooled(ours, real) == pytest.approx(1.0)


def test_against_scipy_on_many_images():
    rng = np.random.default_rng(1)
    ours, real = rng.exponential(size=(7, 44, 44)), 1.2 * rng.exponential(size=(9, 44, 44))
    pooled = wasserstein_distance(channel_sums(ours).reshape(-1), channel_sums(real).reshape(-1))
    assert zdc_wasserstein_log_pooled(ours, real) == pytest.approx(pooled)
    first, second = channel_sums(np.exp(ours) - 1), channel_sums(np.exp(real) - 1)
    each = [wasserstein_distance(first[:, c], second[:, c]) for c in range(5)]
    assert zdc_wasserstein_channels(ours, real) == pytest.approx(np.mean(each))


def test_only_the_pooled_distance_is_blind_to_exchanged_channels():
    ours, real = image(1, 2, 3, 4, 5)[None], image(4, 3, 2, 1, 5)[None]
    assert zdc_wasserstein_log_pooled(ours, real) == pytest.approx(0.0)
    assert zdc_wasserstein_channels(ours, real) == pytest.approx((3 + 1 + 1 + 3) / 5)


@both
def test_same_images_have_distance_zero(distance):
    images = np.random.default_rng(2).exponential(size=(4, 44, 44)).astype(np.float32)
    assert distance(images, images[::-1]) == 0.0
    assert type(distance(images, images)) is float


@both
@pytest.mark.parametrize("shape", [(44, 44), (3, 1, 44, 44), (3, 28, 28), (0, 44, 44)])
def test_wrong_shapes_are_refused(distance, shape):
    good = np.zeros((3, 44, 44))
    for pair in ((np.zeros(shape), good), (good, np.zeros(shape))):
        with pytest.raises(MetricError, match=r"give at least one, in shape \(images, 44, 44\)"):
            distance(*pair)


@both
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite_are_refused(distance, value):
    images = np.zeros((3, 44, 44))
    images[1, 5, 5] = value
    with pytest.raises(MetricError, match="1 of 3 images hold values that are not finite: the generator diverged"):
        distance(images, np.zeros((3, 44, 44)))


def test_photons_beyond_any_number_are_refused():
    with pytest.raises(MetricError, match=r"not on the scale of log\(1 \+ photons\)"):
        zdc_wasserstein_channels(np.full((1, 44, 44), 1000.0), np.zeros((1, 44, 44)))
