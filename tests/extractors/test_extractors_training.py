import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recollect.datasets import open_prepared, prepare
from recollect.extractors import EXTRACTORS, ExtractorError
from recollect.extractors.compute import repeatable
from recollect.extractors.training import accuracy, train_weights
from recollect.extractors.weights import weights_sha256

SPEC = EXTRACTORS["cnn_digits"]


def short(**changes):
    """The recipe, two epochs of it."""
    return dataclasses.replace(SPEC, training=dataclasses.replace(SPEC.training, **{"epochs": 2, **changes}))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    prepare("digits", None, folder, progress=False)
    return open_prepared(folder)


@pytest.fixture(autouse=True)
def one_thread():
    with repeatable(1):
        yield


def test_the_recipe_is_the_published_one():
    recipe = SPEC.training
    assert (recipe.lr, recipe.lr_decay, recipe.batch_size, recipe.epochs) == (1e-3, 0.95, 64, 50)


def test_same_seed_same_weights(digits):
    torch.manual_seed(5)
    first = train_weights(short(), digits)
    state = torch.get_rng_state()
    assert weights_sha256(train_weights(short(), digits)) == weights_sha256(first)
    assert torch.equal(torch.get_rng_state(), state)
    assert weights_sha256(train_weights(short(seed=1), digits)) != weights_sha256(first)
    assert weights_sha256(train_weights(short(lr_decay=0.5), digits)) != weights_sha256(first)


def test_it_is_adam_with_an_exponentially_falling_rate(digits):
    """Two epochs of five batches each, written out."""
    few = SimpleNamespace(train_x=digits.train_x[:300], train_y=digits.train_y[:300])
    found = train_weights(short(seed=3), few)
    from recollect.extractors.small_cnn import SmallCNN

    torch.manual_seed(3)
    network = SmallCNN(10)
    order = torch.Generator().manual_seed(3)
    mean = [torch.zeros_like(p) for p in network.parameters()]
    square = [torch.zeros_like(p) for p in network.parameters()]
    step = 0
    for epoch in range(2):
        permutation = torch.randperm(300, generator=order).numpy()
        for start in range(0, 300, 64):
            rows = permutation[start : start + 64]
            x = torch.from_numpy(few.train_x[rows] / np.float32(255))
            scores = network(x).log_softmax(1)
            loss = -scores[torch.arange(len(rows)), torch.from_numpy(few.train_y[rows])].mean()
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            step += 1
            with torch.no_grad():
                for p, g, m, v in zip(network.parameters(), gradients, mean, square, strict=True):
                    m.mul_(0.9).add_(0.1 * g)
                    v.mul_(0.999).add_(0.001 * g * g)
                    p -= 1e-3 * 0.95**epoch * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_the_whole_recipe_knows_the_digits(digits):
    weights = train_weights(SPEC, digits)
    assert accuracy(SPEC, weights, digits.test_x, digits.test_y) > 0.96


def test_accuracy_is_the_share_that_is_right(made):
    weights = {name: value * 0 for name, value in made.weights("cnn_digits").items()}
    weights["fc2.bias"][7] = 1.0
    labels = np.array([7, 7, 1, 7, 2])
    assert accuracy(SPEC, weights, made.images("cnn_digits", 5), labels) == 0.6


def test_what_cannot_be_trained(made):
    with pytest.raises(ExtractorError, match="lenet_mnist has published weights: it is not trained here"):
        train_weights(EXTRACTORS["lenet_mnist"], None)
    images = SimpleNamespace(train_x=made.images("lenet_mnist", 2), train_y=np.arange(2))
    with pytest.raises(
        ExtractorError, match=r"cnn_digits takes images of shape \(1, 8, 8\), those of digits are \(1"
    ):
        train_weights(SPEC, images)
