"""Classifiers with a fixed-width head: shapes, sizes, and a forward pass written out."""

import pytest
import torch

from recollect.models.classifiers import CLASSIFIERS, CNN, MLP


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 7, 9), (1, 5, 5)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_any_image_shape_gives_the_heads_width(name, shape, depth):
    model = CLASSIFIERS[name](input_shape=shape, n_outputs=11, width=3, depth=depth)
    output = model(torch.rand(4, *shape))
    assert output.shape == (4, 11)
    output.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_mlp_is_two_relu_layers_and_a_head():
    model = MLP(input_shape=(1, 28, 28), n_outputs=10, width=400, depth=2)
    assert sum(p.numel() for p in model.parameters()) == 784 * 400 + 400 + 400 * 400 + 400 + 400 * 10 + 10
    x = torch.rand(3, 1, 28, 28)
    weights = list(model.parameters())
    hidden = x.flatten(1)
    for weight, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
        hidden = (hidden @ weight.T + bias).clamp(min=0)
    torch.testing.assert_close(model(x), hidden @ weights[4].T + weights[5])


def test_the_cnn_doubles_its_channels_and_halves_its_maps():
    model = CNN(input_shape=(3, 9, 6), n_outputs=5, width=4, depth=2)
    assert [tuple(p.shape) for p in model.parameters()] == [
        (4, 3, 3, 3), (4,), (8, 4, 3, 3), (8,), (5, 8 * 3 * 2), (5,)
    ]  # fmt: skip


def test_no_layer_is_random():
    """Two passes agree in training mode too: runs may be compared with and without evaluation."""
    for kind in CLASSIFIERS.values():
        model = kind(input_shape=(1, 8, 8), n_outputs=3, width=4, depth=2).train()
        x = torch.rand(2, 1, 8, 8)
        assert torch.equal(model(x), model(x))
