"""Networks of Multiband GAN: the sizes of the source, the task in the translator, the gradient penalty."""

import pytest
import torch
from torch import nn

from recollect.errors import RecollectError
from recollect.models.multiband_gan import Critic, Generator, gradient_penalty

# side: image channels; (channels / f, side) of the first map; transposed convolutions (channels / f, kernel,
# stride, padding, output padding), 0 for the image; the critic's (channels / f, kernel, stride, padding, side).
SIZES = {
    8: (1, (4, 2), [(2, 4, 2, 1, 0), (1, 4, 2, 1, 0), (0, 3, 1, 1, 0)], [(1, 4, 2, 1, 4), (2, 4, 2, 1, 2)]),
    28: (
        1, (4, 4), [(4, 4, 2, 0, 0), (2, 4, 2, 0, 0), (1, 4, 1, 0, 0), (0, 4, 1, 0, 0)],
        [(1, 4, 2, 1, 14), (1, 4, 2, 1, 7), (1, 4, 2, 1, 3)],
    ),
    32: (
        3, (2, 2), [(8, 4, 2, 1, 0), (4, 4, 2, 1, 0), (2, 4, 2, 1, 0), (1, 4, 2, 1, 0), (0, 5, 1, 2, 0)],
        [(1, 4, 2, 1, 16), (2, 4, 2, 1, 8), (4, 4, 2, 1, 4), (8, 4, 2, 1, 2), (8, 3, 1, 1, 2)],
    ),
    44: (
        1, (5, 5), [(4, 4, 2, 1, 0), (2, 4, 2, 0, 0), (1, 4, 2, 1, 0), (0, 3, 1, 1, 0)],
        [(1, 4, 2, 1, 22), (1, 4, 2, 1, 11), (2, 4, 2, 1, 5), (4, 4, 2, 1, 2)],
    ),
    64: (
        3, (8, 8), [(4, 5, 2, 2, 1), (2, 5, 2, 2, 1), (1, 5, 2, 2, 1), (0, 5, 1, 2, 0)],
        [(1, 5, 2, 1, 31), (2, 5, 2, 1, 15), (4, 5, 2, 1, 7), (4, 5, 2, 1, 3)],
    ),
}  # fmt: skip


def kinds(network):
    return [type(m).__name__ for m in network.modules() if not list(m.children())]


@pytest.mark.parametrize("side", SIZES)
def test_generator_has_the_sizes_of_the_source(side):
    channels, (start, first), up, _ = SIZES[side]
    generator = Generator(input_shape=(channels, side, side), latent=100, f=4, n_tasks=5)
    assert generator.embedding.weight.shape == (5, 5)
    widths = [(m.in_features, m.out_features) for m in generator.modules() if isinstance(m, nn.Linear)]
    assert widths == [(105, 400), (400, 100), (100, start * 4 * first**2)]
    assert [m.negative_slope for m in generator.modules() if isinstance(m, nn.LeakyReLU)] == [0.2]
    layers = [m for m in generator.network if isinstance(m, nn.ConvTranspose2d)]
    found = [(*(v[0] for v in (m.kernel_size, m.stride, m.padding, m.output_padding)),) for m in layers]
    assert found == [tuple(sizes) for _, *sizes in up]
    assert [m.out_channels for m in layers] == [4 * multiple or channels for multiple, *_ in up]
    assert all(m.bias is None for m in layers)
    middle = ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * (len(up) - 1)
    assert kinds(generator.network) == [
        "Linear", "Unflatten", "BatchNorm2d", *middle, "ConvTranspose2d", "Tanh",
    ]  # fmt: skip
    x = generator(torch.randn(3, 100), torch.tensor([0, 4, 2]))
    assert x.shape == (3, channels, side, side)
    assert x.abs().max().item() <= 1


@pytest.mark.parametrize("side", SIZES)
def test_critic_has_the_sizes_of_the_source(side):
    channels, _, _, down = SIZES[side]
    critic = Critic(input_shape=(channels, side, side), f=4)
    layers = [m for m in critic.layers if isinstance(m, nn.Conv2d)]
    assert [(*(v[0] for v in (m.kernel_size, m.stride, m.padding)),) for m in layers] == [s[1:4] for s in down]
    assert all(m.bias is None for m in layers)
    norms = [m.normalized_shape for m in critic.layers if isinstance(m, nn.LayerNorm)]
    assert norms == [(4 * multiple, size, size) for multiple, *_, size in down]
    assert kinds(critic) == [*["Conv2d", "LayerNorm", "LeakyReLU"] * len(down), "Flatten", "Linear"]
    assert {m.negative_slope for m in critic.layers if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert critic(torch.randn(3, channels, side, side)).shape == (3,)


def test_the_translator_is_told_the_task():
    generator = Generator(input_shape=(1, 8, 8), latent=3, f=2, n_tasks=4)
    z, task = torch.randn(2, 3), torch.tensor([1, 3])
    wanted = generator.translator(torch.cat([z, generator.embedding(task)], dim=1))
    torch.testing.assert_close(generator.translate(z, task), wanted)
    assert not torch.equal(generator.translate(z, task), generator.translate(z, task.flip(0)))


def test_an_image_size_without_networks_is_refused():
    with pytest.raises(RecollectError, match="no GAN networks for images of 6x6 pixels: there are 8x8, 28x28"):
        Critic(input_shape=(1, 6, 6), f=2)


class Linear(nn.Module):
    """D(x) = w.x."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x):
        return x.flatten(1) @ self.w


@pytest.mark.parametrize("length", [0.25, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic(length):
    """(|w| - 1)^2 wherever it is taken, with the gradient 2 (|w| - 1) w / |w|."""
    w = torch.randn(16, dtype=torch.float64)
    critic = Linear(length * w / w.norm())
    penalty = gradient_penalty(critic, *torch.randn(2, 6, 1, 4, 4, dtype=torch.float64))
    assert penalty.item() == pytest.approx((length - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(critic.w.grad, 2 * (length - 1) * critic.w.detach() / length)


def test_gradient_penalty_against_differences():
    """On the lines u x + (1 - u) x~, with one u per image; central differences of a curved critic."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0)).double()
    real, fake = torch.randn(2, 4, 1, 3, 3, dtype=torch.float64)
    torch.manual_seed(7)
    penalty = gradient_penalty(critic, real, fake)
    torch.manual_seed(7)
    u = torch.rand(4, 1, 1, 1)
    steps = 1e-5 * torch.eye(9, dtype=torch.float64).view(9, 1, 1, 3, 3)
    norms = []
    for x in u * real + (1 - u) * fake:
        slope = (critic(x + steps[:, 0]) - critic(x - steps[:, 0])) / 2e-5
        norms.append(slope.norm().item())
    assert penalty.item() == pytest.approx(sum((n - 1) ** 2 for n in norms) / 4, rel=1e-7)
