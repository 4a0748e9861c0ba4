"""The real data sets, where RECOLLECT_DATA has them."""

import numpy as np
import pytest

from recollect.datasets import DATASETS, MissingData, open_prepared, prepare

LOOK_FOR = {
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "omniglot": (14_460, 4_820),
    "omniglot_joined": (19_280, 0),
    "omniglot_evaluation": (9_885, 3_295),
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
}


@pytest.mark.parametrize("name", LOOK_FOR)
def test_content_is_the_known_one(tmp_path, real_data, name):
    try:
        info = prepare(name, real_data, tmp_path, offline=True, progress=False)
    except MissingData as error:
        pytest.skip(f"set RECOLLECT_DATA to a data_dir with {name} to run this: {error}")
    assert (info["train"]["n"], info["test"]["n"]) == LOOK_FOR[name]
    known = DATASETS[name].content_sha256 or DATASETS[name].rows_sha256
    assert info["verified"] == "known content" if known else info["verified"] != "known content"


def test_cifar100_has_the_published_channel_statistics(tmp_path, real_data):
    """Per-channel mean and std of the training images, as CIFAR-100 code everywhere states them."""
    try:
        prepare("cifar100", real_data, tmp_path, offline=True, progress=False)
    except MissingData as error:
        pytest.skip(f"set RECOLLECT_DATA to a data_dir with cifar100 to run this: {error}")
    x = open_prepared(tmp_path).train_x
    counts = np.stack([np.bincount(x[:, c].ravel(), minlength=256) for c in range(3)]) / (50_000 * 1024)
    values = np.arange(256) / 255
    mean = counts @ values
    std = np.sqrt(counts @ values**2 - mean**2)
    assert mean == pytest.approx([0.50707516, 0.48654887, 0.44091784], abs=1e-7)
    assert std == pytest.approx([0.26733429, 0.25643846, 0.27615047], abs=1e-7)
