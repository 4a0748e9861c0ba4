"""torch-fidelity with our extractors: the same FID as from `features` and its lower-level functions."""

import json

import numpy as np
import pytest
import torch
import torch_fidelity
from torch.utils.data import Dataset
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from recollect.extractors import EXTRACTORS, ExtractorError
from recollect.extractors.features import features
from recollect.extractors.fidelity import RegisteredExtractor, register
from recollect.extractors.weights import write_weights
from recollect.steps.places import Places


class Images(Dataset):
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i]


@pytest.fixture
def folder(made, tmp_path):
    folder = Places(tmp_path / "results").extractor("cnn_digits")
    write_weights(folder / "weights.safetensors", made.weights("cnn_digits"))
    record = {"id": "cnn_digits", "sha256": made.extractor("cnn_digits").sha256}
    (folder / "extractor.json").write_text(json.dumps(record))
    return folder


def two_sets(made):
    a = torch.from_numpy(made.images("cnn_digits", 70, seed=1))
    return a, torch.from_numpy(made.images("cnn_digits", 90, seed=2) // 2)


def fid_of(a, b, folder, **more):
    chosen = {"feature_extractor": "cnn_digits", "feature_extractor_weights_path": str(folder), **more}
    found = torch_fidelity.calculate_metrics(
        input1=Images(a), input2=Images(b), fid=True, cuda=False, batch_size=32, save_cpu_ram=True, verbose=False,
        **chosen,
    )  # fmt: skip
    return found[KEY_METRIC_FID]


@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_the_same_fid_both_ways(made, folder, kind):
    register()
    register()
    a, b = two_sets(made)
    if kind == "floats":
        a, b = a / 255, b / 255 * 0.97
    statistics = [
        fid_features_to_statistics(torch.from_numpy(features(made.extractor("cnn_digits"), x, 32))) for x in (a, b)
    ]
    wanted = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    assert wanted > 1
    assert fid_of(a, b, folder) == pytest.approx(wanted, rel=1e-9)


def test_all_ids_are_registered():
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    register()
    pictures = [name for name, spec in EXTRACTORS.items() if spec.measured == "features"]
    assert all(FEATURE_EXTRACTORS_REGISTRY[name] is RegisteredExtractor for name in pictures)


def test_default_place(made, folder, tmp_path, monkeypatch):
    register()
    a, b = two_sets(made)
    monkeypatch.chdir(tmp_path)
    assert fid_of(a, b, folder, feature_extractor_weights_path=None) == fid_of(a, b, folder)


def test_errors_say_what_to_do(made, folder):
    register()
    a, b = two_sets(made)
    with pytest.raises(ExtractorError, match="holds the extractor cnn_digits, not lenet_mnist: name that one"):
        fid_of(a, b, folder, feature_extractor="lenet_mnist")
    with pytest.raises(
        ExtractorError, match=r"cnn_digits takes images of shape \(1, 8, 8\), these are an array of"
    ):
        fid_of(a.repeat(1, 3, 1, 1), b.repeat(1, 3, 1, 1), folder)


def test_layer(made, folder):
    extractor = RegisteredExtractor("cnn_digits", ["features"], folder)
    a, _ = two_sets(made)
    (found,) = extractor(a)
    assert np.array_equal(found.numpy(), features(made.extractor("cnn_digits"), a, 70))
    assert extractor.get_default_feature_layer_for_metric("fid") == "features"
    assert not extractor.can_be_compiled()
