import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recollect.errors import RecollectError
from recollect.extractors import EXTRACTORS, ExtractorError
from recollect.extractors.features import Extractor, features, load_extractor
from recollect.extractors.weights import write_weights


@pytest.fixture(scope="module")
def lenet(made):
    return made.extractor("lenet_mnist")


@pytest.fixture(scope="module")
def images(made):
    return made.images("lenet_mnist", 11)


def test_shape_type_and_blocks(lenet, images):
    found = features(lenet, images)
    assert (found.shape, found.dtype) == ((11, 84), np.float32)
    for batch_size in (1, 4, 11):
        np.testing.assert_allclose(features(lenet, images, batch_size), found, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features(lenet, images[7:8])[0], found[7], rtol=1e-4, atol=1e-5)


def test_bytes_and_floats_and_tensors_and_files(lenet, images, tmp_path):
    found = features(lenet, images)
    np.save(tmp_path / "x.npy", images)
    same = [
        torch.from_numpy(images),
        torch.from_numpy(images).float() / 255,
        torch.from_numpy(images).double() / 255,
        (images / np.float32(255)).astype(np.float32),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
    ]
    for other in same:
        np.testing.assert_allclose(features(lenet, other), found, rtol=1e-6, atol=1e-6)


def test_floats_go_in_as_they_are(lenet):
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(features(lenet, x), lenet.network.features(x).numpy())
    rounded = (x * 255).round().to(torch.uint8)
    assert not np.array_equal(features(lenet, x), features(lenet, rounded))


def test_nothing_is_learned_and_nothing_drawn(lenet, images):
    state = torch.get_rng_state()
    x = (torch.from_numpy(images).float() / 255).requires_grad_()
    first = features(lenet, x)
    assert np.array_equal(features(lenet, x), first)
    assert x.grad is None
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((2, 3, 32, 32), "choose an extractor for them (resnet20_cifar10, inception)"),
        ((2, 1, 8, 8), "choose an extractor for them (cnn_digits, inception)"),
        ((2, 28, 28), "give images (N, C, H, W)"),
        ((2, 784), "give images (N, C, H, W)"),
    ],
)
def test_wrong_shape(lenet, shape, advice):
    with pytest.raises(ExtractorError) as error:
        features(lenet, np.zeros(shape, np.uint8))
    assert str(error.value) == (
        f"extractor lenet_mnist takes images of shape (1, 28, 28), these are an array of shape {shape}: {advice}"
    )


def test_wrong_shape_of_any_size():
    inception = Extractor(EXTRACTORS["inception"], torch.nn.Linear(1, 1), "")
    with pytest.raises(
        ExtractorError, match=r"inception takes images of shape \(1 or 3, H, W\), these are .*2, 9, 9"
    ):
        features(inception, np.zeros((5, 2, 9, 9), np.uint8))


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.zeros(0, 1, 28, 28), "was given no images: give at least one"),
        (
            torch.zeros(2, 1, 28, 28, dtype=torch.long),
            "takes uint8 or floating-point images, these are torch.int64",
        ),
        (torch.full((2, 1, 28, 28), torch.nan), "with values that are not finite"),
        (torch.full((2, 1, 28, 28), torch.inf), "with values that are not finite"),
        (torch.full((2, 1, 28, 28), -0.5), "takes float images in [0, 1], these reach from -0.5 to -0.5: rescale"),
        (
            torch.full((2, 1, 28, 28), 255.0),
            "in [0, 1], these reach from 255 to 255: rescale them, (x + 1) / 2 for",
        ),
    ],
    ids=["none", "integers", "nan", "inf", "tanh", "bytes as floats"],
)
def test_images_that_are_refused(lenet, images, says):
    with pytest.raises(ExtractorError, match=re.escape(says)):
        features(lenet, images)


def test_the_last_block_is_looked_at(lenet):
    x = torch.zeros(9, 1, 28, 28)
    x[8, 0, 3, 3] = 1.01
    with pytest.raises(ExtractorError, match=r"reach from 0 to 1.01"):
        features(lenet, x, batch_size=4)
    assert len(features(lenet, x.clamp(max=1.00005))) == 9


def test_legacy_range(lenet):
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert np.array_equal(features(lenet, x, legacy_range=True), lenet.network.features(x).numpy())
    with pytest.raises(ExtractorError, match=r"takes float images in \[-1, 1\], these reach"):
        features(lenet, x * 3, legacy_range=True)
    inception = Extractor(EXTRACTORS["inception"], lenet.network, "")
    with pytest.raises(ExtractorError, match="takes bytes: legacy_range cannot"):
        features(inception, x, legacy_range=True)


@pytest.fixture
def stored(made, tmp_path):
    """The folder of a made extractor."""
    extractor = made.extractor("lenet_mnist")
    folder = tmp_path / "lenet_mnist"
    write_weights(folder / "weights.safetensors", made.weights("lenet_mnist"))
    record = {"id": "lenet_mnist", "sha256": extractor.sha256}
    (folder / "extractor.json").write_text(json.dumps(record))
    return SimpleNamespace(folder=folder, record=record, extractor=extractor)


def test_load(stored, images):
    loaded = load_extractor(stored.folder)
    assert (loaded.spec, loaded.sha256) == (stored.extractor.spec, stored.extractor.sha256)
    assert loaded.device == torch.device("cpu")
    assert np.array_equal(features(loaded, images), features(stored.extractor, images))


def test_load_refuses_what_does_not_belong_together(made, stored):
    record, weights = stored.folder / "extractor.json", stored.folder / "weights.safetensors"
    write_weights(weights, made.weights("lenet_mnist", seed=1))
    with pytest.raises(
        ExtractorError, match=r"holds other weights than extractor.json beside it says: make it with"
    ):
        load_extractor(stored.folder)
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ExtractorError, match=r"weights.safetensors is damaged"):
        load_extractor(stored.folder)
    weights.unlink()
    with pytest.raises(ExtractorError, match=r"weights.safetensors cannot be read .No such file"):
        load_extractor(stored.folder)
    record.write_text('{"id": "x", "sha256": ""}')
    with pytest.raises(ExtractorError, match="there is no extractor 'x'"):
        load_extractor(stored.folder)
    for text in ("[]", '{"id": "lenet_mnist"}', "{"):
        record.write_text(text)
        with pytest.raises(
            RecollectError, match=r"extractor.json is damaged.*: make it with `recollect extractor len"
        ):
            load_extractor(stored.folder)
    record.unlink()
    with pytest.raises(RecollectError, match="is missing: make it with `recollect extractor lenet_mnist`"):
        load_extractor(stored.folder)
