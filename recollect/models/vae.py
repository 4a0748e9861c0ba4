"""Variational autoencoders for images of any shape, with pixels in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


def _mlp_parts(shape: Sequence[int], latent: int, width: int) -> tuple[nn.Module, nn.Module]:
    pixels = math.prod(shape)
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
        nn.Linear(width, 2 * latent),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, pixels),
        nn.Unflatten(1, tuple(shape)),
    )  # fmt: skip
    return encoder, decoder


def _conv_parts(shape: Sequence[int], latent: int, width: int) -> tuple[nn.Module, nn.Module]:
    channels, height, columns = shape
    small = (-(-height // 4), -(-columns // 4))
    flat = 2 * width * small[0] * small[1]
    encoder = nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(flat, 2 * latent),
    )  # fmt: skip
    middle = (-(-height // 2), -(-columns // 2))
    decoder = nn.Sequential(
        nn.Linear(latent, flat), nn.ReLU(), nn.Unflatten(1, (2 * width, *small)),
        _Up(2 * width, width, small, middle), nn.ReLU(), _Up(width, channels, middle, (height, columns)),
    )  # fmt: skip
    return encoder, decoder


class _Up(nn.Module):
    """Stride-2 transposed convolution from ``before`` to exactly ``after`` rows and columns."""

    def __init__(self, inputs: int, outputs: int, before: tuple[int, int], after: tuple[int, int]) -> None:
        super().__init__()
        extra = tuple(b - (2 * a - 1) for a, b in zip(before, after, strict=True))
        self.layer = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=extra)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class VAE(nn.Module):
    """Gaussian latent, Bernoulli pixels.

    Args:
        input_shape: (C, H, W).
        kind: mlp (two hidden layers of ``width``) or conv (two stride-2 convolutions).
        latent: size of z.
    """

    def __init__(
        self, *, input_shape: Sequence[int], kind: str = "mlp", latent: int = 100, width: int = 400
    ) -> None:
        super().__init__()
        self.latent = latent
        parts = {"mlp": _mlp_parts, "conv": _conv_parts}[kind](input_shape, latent, width)
        self.encoder, self.decoder = parts

    def losses(self, x: Tensor) -> Tensor:
        """Negative evidence lower bound in nats of every image, (B,) (Kingma and Welling 2014)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        reconstruction = binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").flatten(1).sum(1)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        return reconstruction + divergence

    def loss(self, x: Tensor) -> Tensor:
        """Mean of :meth:`losses`."""
        return self.losses(x).mean()

    def sample(self, n: int, device: torch.device) -> Tensor:
        """``n`` images (n, C, H, W) from the prior, pixel means in [0, 1]."""
        return torch.sigmoid(self.decoder(torch.randn(n, self.latent, device=device)))
