import re
import subprocess
import sys

import pytest

from recollect.extractors import EXTRACTORS, ExtractorError, get_extractor_spec
from recollect.extractors.networks import NETWORKS
from recollect.layout import ROOT


def test_every_extractor_has_one_source_and_a_network():
    for id, spec in EXTRACTORS.items():
        assert spec.id == id
        assert bool(spec.files) + bool(spec.training) == (spec.measured == "features")
        assert spec.network == "inception" or spec.network in NETWORKS
        assert spec.weights_sha256 is None or re.fullmatch(r"[0-9a-f]{64}", spec.weights_sha256)
        for file in spec.files:
            assert file.path.startswith("weights/")
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert all(url.startswith("https://") for url in file.urls)
        assert not spec.files or any(file.urls for file in spec.files)


def test_dimension_is_well_below_the_images_of_a_task():
    assert EXTRACTORS["cnn_digits"].feature_dim <= 355 / 5 / 4


@pytest.mark.parametrize(
    ("id", "shape", "fits"),
    [
        ("lenet_mnist", (1, 28, 28), True),
        ("lenet_mnist", (3, 28, 28), False),
        ("lenet_mnist", (1, 28), False),
        ("resnet20_cifar10", (3, 32, 32), True),
        ("inception", (1, 28, 28), True),
        ("inception", (3, 64, 48), True),
        ("inception", (2, 28, 28), False),
        ("inception", (28, 28), False),
    ],
)
def test_shapes(id, shape, fits):
    assert EXTRACTORS[id].takes(shape) is fits


def test_unknown_name():
    assert get_extractor_spec("inception") is EXTRACTORS["inception"]
    with pytest.raises(
        ExtractorError, match="no extractor 'lenet_mnits', did you mean lenet_mnist: choose one of le"
    ):
        get_extractor_spec("lenet_mnits")
    with pytest.raises(ExtractorError, match="no extractor 'xyz': choose one of"):
        get_extractor_spec("xyz")


def test_planning_needs_no_torch():
    code = "import sys, recollect.extractors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_networks_need_neither_avalanche_nor_torchvision():
    code = (
        "import sys, recollect.steps.extractor, recollect.steps.reference;"
        "sys.exit(any(name in sys.modules for name in ('avalanche', 'torchvision', 'torch_fidelity')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
