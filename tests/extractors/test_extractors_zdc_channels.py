"""The ZDC channels as an extractor: sums by hand, no file to be had, numbers on the scale of their data."""

import json

import numpy as np
import pytest
import torch

from recollect.extractors import EXTRACTORS, ExtractorError
from recollect.extractors.features import features, load_extractor
from recollect.extractors.weights import weights_sha256
from recollect.extractors.zdc_channels import ZdcChannels
from recollect.metrics.generative.wasserstein import channel_sums
from recollect.steps.extractor import make_extractor
from recollect.steps.places import Places

SPEC = EXTRACTORS["zdc_channels"]


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "results")


@pytest.fixture
def extractor(places, tmp_path):
    make_extractor("zdc_channels", places, tmp_path)
    return load_extractor(places.extractor("zdc_channels"))


def test_one_photon_in_every_channel_by_hand(extractor):
    """Pixels of channels 1 to 4 in their corners, of channel 5 beside the first; 3 photons are log 4."""
    corners = [(0, 0), (0, 42), (42, 0), (43, 43), (0, 1)]
    x = torch.zeros(5, 1, 44, 44)
    for image, (row, column) in enumerate(corners):
        x[image, 0, row, column] = np.log(4)
    found = features(extractor, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.hstack([np.log(4) * np.eye(5), 3 * np.eye(5)]), rtol=1e-6)


def test_sums_are_those_of_the_metric(extractor):
    x = torch.rand(70, 1, 44, 44) * 7
    found = features(extractor, x)
    log = x[:, 0].numpy().astype(np.float64)
    np.testing.assert_allclose(found[:, :5], channel_sums(log), rtol=1e-6)
    np.testing.assert_allclose(found[:, 5:], channel_sums(np.expm1(log)), rtol=1e-6)


def test_nothing_is_clipped(extractor):
    x = torch.full((1, 1, 44, 44), -1.0)
    assert (features(extractor, x) < 0).all()
    assert (features(extractor, 9 - x) > features(extractor, torch.full_like(x, 6.0))).all()


def test_it_is_made_without_any_file(places, tmp_path, extractor):
    record = json.loads((places.extractor("zdc_channels") / "extractor.json").read_text())
    assert record["how"] == "defined"
    assert record["value_range"] == "that of the data"
    assert (record["feature_dim"], record["input_shape"]) == (10, [1, 44, 44])
    assert record["sha256"] == extractor.sha256 == SPEC.weights_sha256
    before = (places.extractor("zdc_channels") / "weights.safetensors").read_bytes()
    make_extractor("zdc_channels", places, tmp_path, offline=True)
    assert (places.extractor("zdc_channels") / "weights.safetensors").read_bytes() == before


def test_the_hash_says_which_pixels_are_summed():
    assert weights_sha256(ZdcChannels().state_dict()) == SPEC.weights_sha256
    other = ZdcChannels()
    other.masks[0, 0] = 0
    assert weights_sha256(other.state_dict()) != SPEC.weights_sha256


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 1, 44, 44, dtype=torch.uint8), "takes floating-point images, these are torch.uint8"),
        (torch.full((2, 1, 44, 44), float("nan")), "values that are not finite"),
        (torch.zeros(2, 1, 28, 28), r"takes images of shape \(1, 44, 44\)"),
    ],
)
def test_other_images_are_refused(extractor, x, words):
    with pytest.raises(ExtractorError, match=words):
        features(extractor, x)


def test_it_is_for_numbers_and_the_others_for_bytes():
    assert SPEC.takes_stored((1, 44, 44), "float32")
    assert not SPEC.takes_stored((1, 44, 44), "uint8")
    assert not SPEC.takes_stored((1, 28, 28), "float32")
    assert EXTRACTORS["inception"].takes_stored((1, 44, 44), "uint8")
    assert not EXTRACTORS["inception"].takes_stored((1, 44, 44), "float32")


def test_there_is_no_fid_of_channels():
    """Neither through torch-fidelity nor as a metric of tables."""
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    from recollect.extractors.fidelity import register
    from recollect.tables.metric_info import sample_metrics

    register()
    assert "zdc_channels" not in FEATURE_EXTRACTORS_REGISTRY
    assert not any("fid" in name for name in sample_metrics(SPEC.measured))
