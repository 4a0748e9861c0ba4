"""The networks of Multiband GAN (Adapt & Align, Deja et al. 2025): translator, generator and WGAN critic.

f is the feature count. Generators end in tanh: pixels in [-1, 1]. Convolutions have no bias. The plan for 8x8
images is ours, so that the embedded digits can be learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recollect.errors import RecollectError

HIDDEN = 400
SLOPE = 0.2


@dataclass(frozen=True)
class GanPlan:
    """Layers for one image side; channels are multiples of f, 0 stands for the image's.

    Attributes:
        start: (channels, side) of the generator's first map.
        up: (channels, kernel, stride, padding, output padding) of its transposed convolutions.
        down: (channels, kernel, stride, padding, side of the output) of the critic's convolutions.
    """

    start: tuple[int, int]
    up: tuple[tuple[int, int, int, int, int], ...]
    down: tuple[tuple[int, int, int, int, int], ...]


GAN_PLANS = {
    8: GanPlan(
        start=(4, 2), up=((2, 4, 2, 1, 0), (1, 4, 2, 1, 0), (0, 3, 1, 1, 0)),
        down=((1, 4, 2, 1, 4), (2, 4, 2, 1, 2)),
    ),
    28: GanPlan(
        start=(4, 4), up=((4, 4, 2, 0, 0), (2, 4, 2, 0, 0), (1, 4, 1, 0, 0), (0, 4, 1, 0, 0)),
        down=((1, 4, 2, 1, 14), (1, 4, 2, 1, 7), (1, 4, 2, 1, 3)),
    ),
    32: GanPlan(
        start=(2, 2), up=((8, 4, 2, 1, 0), (4, 4, 2, 1, 0), (2, 4, 2, 1, 0), (1, 4, 2, 1, 0), (0, 5, 1, 2, 0)),
        down=((1, 4, 2, 1, 16), (2, 4, 2, 1, 8), (4, 4, 2, 1, 4), (8, 4, 2, 1, 2), (8, 3, 1, 1, 2)),
    ),
    44: GanPlan(
        start=(5, 5), up=((4, 4, 2, 1, 0), (2, 4, 2, 0, 0), (1, 4, 2, 1, 0), (0, 3, 1, 1, 0)),
        down=((1, 4, 2, 1, 22), (1, 4, 2, 1, 11), (2, 4, 2, 1, 5), (4, 4, 2, 1, 2)),
    ),
    64: GanPlan(
        start=(8, 8), up=((4, 5, 2, 2, 1), (2, 5, 2, 2, 1), (1, 5, 2, 2, 1), (0, 5, 1, 2, 0)),
        down=((1, 5, 2, 1, 31), (2, 5, 2, 1, 15), (4, 5, 2, 1, 7), (4, 5, 2, 1, 3)),
    ),
}  # fmt: skip
"""Image side -> layers; 28, 32, 44 and 64 as the authors have them."""


def gan_plan(shape: Sequence[int]) -> GanPlan:
    """The plan for square images (C, H, W).

    Raises:
        RecollectError: there are no networks for this size.
    """
    if shape[1] != shape[2] or shape[1] not in GAN_PLANS:
        sizes = ", ".join(f"{side}x{side}" for side in sorted(GAN_PLANS))
        raise RecollectError(
            f"no GAN networks for images of {shape[1]}x{shape[2]} pixels: there are {sizes}; use another data set"
        )
    return GAN_PLANS[shape[1]]


class Generator(nn.Module):
    """p(x | t(z, i)): task embedding and translator, then transposed convolutions.

    Args:
        input_shape: (C, H, W).
        latent: dimension of z and of the aligned space Z.
        f: feature count.
        n_tasks: how many tasks have an embedding.
    """

    def __init__(self, *, input_shape: Sequence[int], latent: int, f: int, n_tasks: int) -> None:
        super().__init__()
        plan = gan_plan(input_shape)
        self.latent = latent
        self.embedding = nn.Embedding(n_tasks, n_tasks)
        self.translator = nn.Sequential(
            nn.Linear(latent + n_tasks, HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(HIDDEN, latent)
        )
        channels, side = f * plan.start[0], plan.start[1]
        layers: list[nn.Module] = [
            nn.Linear(latent, channels * side**2), nn.Unflatten(1, (channels, side, side)),
            nn.BatchNorm2d(channels),
        ]  # fmt: skip
        for multiple, kernel, stride, padding, extra in plan.up:
            outputs = f * multiple or input_shape[0]
            layers.append(nn.ConvTranspose2d(channels, outputs, kernel, stride, padding, extra, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()] if multiple else [nn.Tanh()]
            channels = outputs
        self.network = nn.Sequential(*layers)

    def translate(self, z: Tensor, task: Tensor) -> Tensor:
        """z (N, latent) of tasks (N,) in the aligned space Z (N, latent)."""
        # One row per task goes through the lookup, a product with one-hot rows keeps its gradient repeatable.
        hot = nn.functional.one_hot(task, self.embedding.num_embeddings).to(z.dtype)
        return self.translator(torch.cat([z, hot @ self.embedding.weight], dim=1))

    def forward(self, z: Tensor, task: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1]."""
        return self.network(self.translate(z, task))

    def translator_parameters(self) -> list[nn.Parameter]:
        """Of the task embedding and the translator."""
        return [*self.embedding.parameters(), *self.translator.parameters()]


class Critic(nn.Module):
    """D(x) or D(x, class): convolutions with layer normalisation over (C, H, W), then one number per image.

    Args:
        input_shape: (C, H, W).
        f: feature count.
        n_classes: of a conditional critic, which sees the class as one more channel; 0 for a plain one.
    """

    def __init__(self, *, input_shape: Sequence[int], f: int, n_classes: int = 0) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.class_channel: nn.Module | None = None
        if n_classes:
            channels += 1
            self.class_channel = nn.Sequential(
                nn.Embedding(n_classes, n_classes), nn.Linear(n_classes, HIDDEN), nn.LeakyReLU(SLOPE),
                nn.Linear(HIDDEN, height * width), nn.Unflatten(1, (1, height, width)),
            )  # fmt: skip
        layers: list[nn.Module] = []
        for multiple, kernel, stride, padding, side in gan_plan(input_shape).down:
            layers += [
                nn.Conv2d(channels, f * multiple, kernel, stride, padding, bias=False),
                nn.LayerNorm([f * multiple, side, side]), nn.LeakyReLU(SLOPE),
            ]  # fmt: skip
            channels = f * multiple
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side**2, 1))

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W), and for a conditional critic their classes (N,), to scores (N,)."""
        if self.class_channel is not None:
            x = torch.cat([x, self.class_channel(classes)], dim=1)
        return self.layers(x)[:, 0]


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """E[(||grad D(u x + (1 - u) x~)|| - 1)^2] with u uniform per image (Gulrajani et al. 2017)."""
    u = torch.rand(len(real), 1, 1, 1, device=real.device)
    mixed = (u * real + (1 - u) * fake).requires_grad_(True)
    gradient = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
    return (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()
