"""Feature values against a second forward pass, written in numpy from the published descriptions."""

import numpy as np
import pytest
import torch

from recollect.extractors import EXTRACTORS, ExtractorError
from recollect.extractors.inception import Inception
from recollect.extractors.networks import build


def conv(x, weight, bias=None, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("ncijkl,ockl->noij", windows, weight)
    return y if bias is None else y + bias[:, None, None]


def pool(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def lenet5(x, w):
    x = pool(relu(conv(x, w["conv1.weight"], w["conv1.bias"])))
    x = pool(relu(conv(x, w["conv2.weight"], w["conv2.bias"])))
    x = relu(x.reshape(len(x), 256) @ w["fc1.weight"].T + w["fc1.bias"])
    return x @ w["fc2.weight"].T + w["fc2.bias"]


def character_net(x, w):
    x = pool(leaky(conv(x, w["conv1.weight"], w["conv1.bias"])))
    x = leaky(conv(x, w["conv2.weight"], w["conv2.bias"]))
    x = leaky(conv(x, w["conv3.weight"], w["conv3.bias"]))
    x = leaky(x.reshape(len(x), 256) @ w["fc1.weight"].T + w["fc1.bias"])
    return x @ w["fc2.weight"].T + w["fc2.bias"]


def small_cnn(x, w):
    x = pool(relu(conv(x, w["conv1.weight"], w["conv1.bias"], padding=1)))
    x = pool(relu(conv(x, w["conv2.weight"], w["conv2.bias"], padding=1)))
    return x.reshape(len(x), 256) @ w["fc1.weight"].T + w["fc1.bias"]


def norm(x, w, name):
    scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + 1e-5)
    return (x - w[f"{name}.running_mean"][:, None, None]) * scale[:, None, None] + w[f"{name}.bias"][:, None, None]


def resnet20(x, w):
    x = (x - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array([0.229, 0.224, 0.225])[:, None, None]
    x = relu(norm(conv(x, w["conv1.weight"], padding=1), w, "bn1"))
    for layer in (1, 2, 3):
        for block in (0, 1, 2):
            name = f"layer{layer}.{block}"
            halve = layer > 1 and block == 0
            y = conv(x, w[f"{name}.conv1.weight"], stride=2 if halve else 1, padding=1)
            y = conv(relu(norm(y, w, f"{name}.bn1")), w[f"{name}.conv2.weight"], padding=1)
            y = norm(y, w, f"{name}.bn2")
            if halve:
                quiet = np.zeros_like(y)
                quarter = y.shape[1] // 4
                quiet[:, quarter : 3 * quarter] = x[:, :, ::2, ::2]
                x = quiet
            x = relu(y + x)
    return x.mean((2, 3))


BY_HAND = {
    "lenet_mnist": lenet5,
    "lenet_fashion_mnist": lenet5,
    "lenet_omniglot": character_net,
    "lenet_double_mnist": character_net,
    "resnet20_cifar10": resnet20,
    "cnn_digits": small_cnn,
}
HEAD = {"lenet5": relu, "character_net": leaky, "small_cnn": relu, "resnet20": lambda x: x}


@pytest.mark.parametrize(("id", "by_hand"), BY_HAND.items(), ids=BY_HAND)
def test_features_and_scores_by_hand(made, id, by_hand):
    spec, weights = EXTRACTORS[id], made.weights(id)
    x = torch.from_numpy(made.images(id, 3)).float() / 255
    network = build(spec, weights)
    plain = {name: value.double().numpy() for name, value in weights.items()}
    wanted = by_hand(x.double().numpy(), plain)
    assert wanted.shape == (3, spec.feature_dim)
    assert wanted.std() > 0.1
    # Both signs: features are taken before the nonlinearity. Those of the ResNet are means of rectified values.
    assert (wanted < 0).any() == (spec.network != "resnet20")
    np.testing.assert_allclose(network.features(x).numpy(), wanted, rtol=2e-4, atol=2e-4)
    head = {"lenet5": "fc3", "character_net": "fc3", "small_cnn": "fc2", "resnet20": "linear"}[spec.network]
    scores = HEAD[spec.network](wanted) @ plain[f"{head}.weight"].T + plain[f"{head}.bias"]
    assert scores.shape == (3, spec.n_outputs)
    np.testing.assert_allclose(network(x).numpy(), scores, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(
    ("id", "shapes"),
    [
        ("lenet_mnist", {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 256), "fc2": (84, 120)}),
        ("lenet_omniglot", {"conv1": (32, 1, 5, 5), "conv2": (64, 32, 5, 5), "conv3": (16, 64, 5, 5)}),
    ],
)
def test_layers_have_the_published_names(made, id, shapes):
    weights = made.weights(id)
    assert {name: tuple(weights[f"{name}.weight"].shape) for name in shapes} == shapes


def test_networks_are_frozen_and_in_evaluation_mode(made):
    network = made.extractor("resnet20_cifar10").network
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weights_of_another_network(made):
    with pytest.raises(ExtractorError, match=r"extractor lenet_mnist: the weights do not fit its network lenet5"):
        build(EXTRACTORS["lenet_mnist"], made.weights("lenet_omniglot"))
    with pytest.raises(ExtractorError, match="extractor inception: the weights do not fit"):
        build(EXTRACTORS["inception"], made.weights("lenet_mnist"))


@pytest.fixture(scope="module")
def random_inception():
    """torch-fidelity's network with random weights: it cannot be made without a file otherwise."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        return module.FeatureExtractorInceptionV3("inception", ["2048"])


def test_inception_is_that_of_torch_fidelity(made, random_inception):
    weights = {n: v for n, v in random_inception.state_dict().items() if not n.endswith("num_batches_tracked")}
    network = build(EXTRACTORS["inception"], weights)
    assert isinstance(network, Inception)
    levels = torch.from_numpy(made.images("inception", 2))
    wanted = random_inception(levels)[0]
    assert wanted.shape == (2, 2048)
    assert wanted.std() > 0
    assert torch.equal(network.features(levels.float() / 255), wanted)
    grey = levels[:, :1]
    assert torch.equal(network.features(grey.float() / 255), random_inception(grey.repeat(1, 3, 1, 1))[0])
    # Rounded to the nearest level, values a little out of range to the ends.
    between = (levels.float() + 0.4).clamp(max=255.02) / 255
    assert torch.equal(network.features(between), wanted)
