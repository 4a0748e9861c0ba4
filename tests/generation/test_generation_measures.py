"""Distances of ZDC channels from their features: those of the images, by hand, and never an FID."""

import numpy as np
import pytest
import torch

from recollect.extractors.zdc_channels import ZdcChannels
from recollect.generation.evaluation import judge, summarise
from recollect.generation.measures import MEASURES, channel_distances
from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.wasserstein import zdc_wasserstein_channels, zdc_wasserstein_log_pooled

NETWORK = ZdcChannels()


def images(n, brightness, seed):
    """log(1 + photons), (n, 1, 44, 44)."""
    photons = torch.poisson(torch.full((n, 1, 44, 44), brightness), torch.Generator().manual_seed(seed))
    return torch.log1p(photons)


def features(x):
    return NETWORK.features(x).float().numpy()


def test_as_from_images():
    ours, real = images(30, 2.0, 0), images(40, 3.0, 1)
    found = channel_distances(features(ours), features(real))
    pair = ours[:, 0].numpy(), real[:, 0].numpy()
    assert found["w1_log_pooled"] == pytest.approx(zdc_wasserstein_log_pooled(*pair), rel=1e-6)
    assert found["w1_channels"] == pytest.approx(zdc_wasserstein_channels(*pair), rel=1e-6)


def test_by_hand():
    """All log sums moved by 2; photons of channel 1 moved by 10 and of channel 5 by 5: a mean of 3."""
    real = np.random.default_rng(0).random((50, 10))
    made = real + np.array([2, 2, 2, 2, 2, 10, 0, 0, 0, 5])
    # Pooled values move by 2 too, as none of them overtakes another distribution's.
    assert channel_distances(made, real) == pytest.approx({"w1_log_pooled": 2.0, "w1_channels": 3.0})
    assert channel_distances(real, real) == {"w1_log_pooled": 0.0, "w1_channels": 0.0}


def test_only_the_pooled_distance_is_blind_to_an_exchange_of_channels():
    real = np.arange(40.0).reshape(4, 10)
    made = real[:, [1, 0, 2, 3, 4, 6, 5, 7, 8, 9]]
    found = channel_distances(made, real)
    assert found["w1_log_pooled"] == 0
    assert found["w1_channels"] == pytest.approx(2 / 5)


def test_photons_beyond_all_numbers_are_told():
    broken = features(torch.full((3, 1, 44, 44), 200.0))
    with pytest.raises(MetricError, match="3 of 3 generated samples have features that are not finite"):
        channel_distances(broken, features(images(3, 1.0, 0)))


def test_a_generator_of_showers_is_judged_by_distances_only():
    """Tasks of 1 and 2 photons per pixel; after the second task the first is generated too bright."""

    def good(n, task, generator):
        return torch.log1p(torch.poisson(torch.full((n, 1, 44, 44), task + 1.0), generator))

    def forgetful(n, task, generator):
        return good(n, 1, generator)

    reference = [features(images(30, task + 1.0, task)) for task in range(2)]
    found = judge([good, forgetful], reference, features, 0, MEASURES["channels"])
    assert set(found.matrices) == {"w1_log_pooled", "w1_channels"}
    assert (found.final, found.is_rank_deficient) == ({}, False)
    values = summarise(found, "zdc_channels")
    assert set(values) == {
        f"{n}{w}@zdc_channels" for n in found.matrices for w in ("", "_just_learned", "_change")
    }
    # One photon more in each of 968 or 242 pixels of a channel; a mean of both tasks.
    wanted = (968 + 4 * 242) / 5
    assert values["w1_channels_change@zdc_channels"] == pytest.approx(wanted, rel=0.05)
    assert values["w1_channels@zdc_channels"] == pytest.approx(wanted / 2, rel=0.1)
    assert values["w1_channels_just_learned@zdc_channels"] < 0.05 * wanted


def test_too_few_samples_for_their_features_are_no_matter_of_distances():
    reference = [features(images(4, 1.0, 0))]
    found = judge([lambda n, task, generator: images(n, 1.0, 5)], reference, features, 0, MEASURES["channels"])
    assert not found.is_rank_deficient
