"""The published weights, where RECOLLECT_DATA has them: they classify what they were trained for."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from recollect.datasets import MissingData, open_prepared, prepare
from recollect.extractors import EXTRACTORS
from recollect.extractors.features import features, load_extractor
from recollect.steps.extractor import make_extractor
from recollect.steps.places import Places

FIRST = 2000


@pytest.fixture(scope="module")
def data_dir():
    folder = os.environ.get("RECOLLECT_DATA")
    if not folder:
        pytest.skip("set RECOLLECT_DATA to a data_dir with the folder weights to run this")
    return Path(folder)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return Places(tmp_path_factory.mktemp("real") / "results")


@pytest.fixture
def published(data_dir, places):
    def make(id):
        if not any((data_dir / file.path).is_file() for file in EXTRACTORS[id].files):
            pytest.skip(f"put {EXTRACTORS[id].files[0].path} into RECOLLECT_DATA to run this")
        record = make_extractor(id, places, data_dir, offline=True)
        assert EXTRACTORS[id].weights_sha256 in (None, record["sha256"])
        return load_extractor(places.extractor(id))

    return make


@pytest.fixture
def data(data_dir, places):
    def get(name):
        try:
            prepare(name, data_dir, places.data(name), offline=True, progress=False)
        except MissingData as error:
            pytest.skip(f"set RECOLLECT_DATA to a data_dir with {name} to run this: {error}")
        return open_prepared(places.data(name))

    return get


def answers(extractor, images):
    with torch.no_grad():
        scores = extractor.network(torch.from_numpy(np.array(images)).float() / 255)
    return scores.argmax(1).numpy()


@pytest.mark.parametrize(
    ("id", "dataset", "offset", "least"),
    [
        ("lenet_mnist", "mnist", 0, 0.96),
        ("lenet_fashion_mnist", "fashion_mnist", 0, 0.86),
        ("lenet_double_mnist", "fashion_mnist", 0, 0.86),
        ("lenet_double_mnist", "mnist", 10, 0.96),
    ],
)
def test_accuracy(published, data, id, dataset, offset, least):
    extractor, images = published(id), data(dataset)
    found = answers(extractor, images.test_x[:FIRST])
    assert np.mean(found == images.test_y[:FIRST] + offset) > least


def test_the_omniglot_net_reads_emnist(published, data):
    """EMNIST stores characters transposed; its first ten classes are digits, some of which look like letters."""
    extractor, images = published("lenet_omniglot"), data("mnist")
    found = answers(extractor, np.swapaxes(images.test_x[:FIRST], 2, 3))
    assert np.mean(found == images.test_y[:FIRST]) > 0.55


def test_the_cifar10_net_knows_road_vehicles(published, data):
    """CIFAR-100 is at hand more often than CIFAR-10: its buses, pickups and trams are cars (1) and trucks (9)."""
    extractor, images = published("resnet20_cifar10"), data("cifar100")
    vehicles = np.isin(images.test_y, [13, 58, 81])
    assert np.mean(np.isin(answers(extractor, images.test_x[vehicles]), [1, 9])) > 0.85


def test_features_of_like_images_are_alike(published, data):
    extractor, images = published("lenet_mnist"), data("mnist")
    found, y = features(extractor, images.test_x[:FIRST]), images.test_y[:FIRST]
    centres = np.stack([found[y == label].mean(0) for label in range(10)])
    nearest = ((found[:, None] - centres) ** 2).sum(-1).argmin(1)
    assert np.mean(nearest == y) > 0.9
