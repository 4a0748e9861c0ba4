"""The networks of Multiband VAE (Deja et al. 2022) and Adapt & Align (2025): translator, encoders, decoders.

Symbols: L Gaussian and B binary latents, n bits of the task code, d the width factor ``gen_d``; the aligned
latent space Z has L * d dimensions. All activations are LeakyReLU(0.01).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from recollect.errors import RecollectError

FC_SIDE = 4
"""s of the fully connected networks: hidden widths d s^2, d s, d s / 2 (encoder) and d s^2, 2 d s^2 (decoder)."""


def task_codes(n_tasks: int, bits: int, prime: int) -> Tensor:
    """The code of every task, (n_tasks, bits) in {-1, +1}: the bits of ((i * prime) mod 2^bits) + 1.

    Raises:
        RecollectError: two tasks would share a code.
    """
    u = (torch.arange(n_tasks) * prime) % 2**bits + 1
    weights = 2 ** torch.arange(bits - 1, -1, -1)
    codes = ((u[:, None] & weights) > 0).float() * 2 - 1
    if len(torch.unique(codes, dim=0)) < n_tasks:
        raise RecollectError(
            f"{n_tasks} tasks do not get different codes of {bits} bits with prime {prime}: "
            "raise code_bits, or choose an odd code_prime"
        )
    return codes


def _layers(sizes: Sequence[int], last: bool) -> nn.Sequential:
    """Linear layers with LeakyReLU between them, and after the last one if ``last``."""
    pairs = list(pairwise(sizes))
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairs):
        layers.append(nn.Linear(inputs, outputs))
        if last or number + 1 < len(pairs):
            layers.append(nn.LeakyReLU())
    return nn.Sequential(*layers)


class Translator(nn.Module):
    """t(z, b, i): latents of task i in the latent space Z that all tasks share; no activation on the output.

    Args:
        latent, binary: L and B; B may be 0.
        dim: of Z.
        codes: (T, n), from :func:`task_codes`.
    """

    codes: Tensor

    def __init__(self, *, latent: int, binary: int, dim: int, codes: Tensor) -> None:
        super().__init__()
        bits = codes.shape[1]
        self.register_buffer("codes", codes.clone())
        self.code_layers = _layers([bits, 3 * bits, 2 * bits], last=True)
        self.binary_layers = _layers([binary, 2 * binary, 3 * binary], last=True) if binary else None
        self.layers = _layers([latent + 3 * binary + 2 * bits, dim // 2, dim], last=False)

    def forward(self, z: Tensor, b: Tensor, task: Tensor) -> Tensor:
        """z (N, L), b (N, B) in {-1, +1}, task (N,) to Z (N, dim)."""
        parts = [z] if self.binary_layers is None else [z, self.binary_layers(b)]
        # The code layers see one row per task, not one per sample.
        return self.layers(torch.cat([*parts, self.code_layers(self.codes)[task]], dim=1))


class Heads(nn.Module):
    """Mean and log variance (N, L) of the Gaussian latent and logits (N, B) of the binary one."""

    def __init__(self, features: int, latent: int, binary: int) -> None:
        super().__init__()
        self.sizes = [latent, latent, binary]
        self.layer = nn.Linear(features, sum(self.sizes))

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, features) to the three."""
        mean, log_variance, logits = self.layer(h).split(self.sizes, dim=1)
        return mean, log_variance, logits


@dataclass(frozen=True)
class ConvPlan:
    """Convolutional networks for one image side.

    Attributes:
        down: (kernel, channels as multiples of d) of the stride-2 encoder layers, padding 1.
        bottom: side after them.
        start: (channels as multiple of d, side) of the decoder's input.
        up: (channels as multiple of d, or 0 for the image's, kernel, stride, padding, output padding).
        sigmoid: whether pixels are probabilities; else they are log(1 + x) and the output is linear.
    """

    down: tuple[tuple[int, int], ...]
    bottom: int
    start: tuple[int, int]
    up: tuple[tuple[int, int, int, int, int], ...]
    sigmoid: bool = True


CONV_PLANS = {
    28: ConvPlan(
        down=((4, 1), (4, 1), (4, 1)), bottom=3, start=(4, 4),
        up=((4, 4, 2, 0, 0), (2, 4, 2, 0, 0), (1, 4, 1, 0, 0), (0, 4, 1, 0, 0)),
    ),
    64: ConvPlan(
        down=((5, 1), (5, 2), (5, 4), (5, 4)), bottom=3, start=(8, 8),
        up=((4, 5, 2, 2, 1), (2, 5, 2, 2, 1), (1, 5, 2, 2, 1), (0, 5, 1, 2, 0)),
    ),
    44: ConvPlan(
        down=((4, 1), (4, 1), (4, 2), (4, 4)), bottom=2, start=(5, 5),
        up=((4, 4, 2, 1, 0), (2, 4, 2, 0, 0), (1, 4, 2, 1, 0), (0, 3, 1, 1, 0)), sigmoid=False,
    ),
}  # fmt: skip
"""Image side -> layers, as the authors have them."""


def conv_plan(shape: Sequence[int]) -> ConvPlan:
    """The plan for square images (C, H, W).

    Raises:
        RecollectError: there is no network for this size.
    """
    if shape[1] != shape[2] or shape[1] not in CONV_PLANS:
        sizes = ", ".join(f"{side}x{side}" for side in sorted(CONV_PLANS))
        raise RecollectError(
            f"no convolutional network for images of {shape[1]}x{shape[2]} pixels: there are {sizes}; "
            "use network: fc, or another data set"
        )
    return CONV_PLANS[shape[1]]


def _fc_encoder(shape: Sequence[int], d: int) -> tuple[nn.Sequential, int]:
    widths = [d * FC_SIDE**2, d * FC_SIDE, d * FC_SIDE // 2]
    return nn.Sequential(nn.Flatten(), *_layers([math.prod(shape), *widths], last=True)), widths[-1]


def _conv_encoder(shape: Sequence[int], d: int) -> tuple[nn.Sequential, int]:
    plan = conv_plan(shape)
    channels = [shape[0], *(d * multiple for _, multiple in plan.down)]
    layers: list[nn.Module] = []
    for (kernel, _), (inputs, outputs) in zip(plan.down, pairwise(channels), strict=True):
        layers += [nn.Conv2d(inputs, outputs, kernel, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU()]
    flat = channels[-1] * plan.bottom**2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 4 * d), nn.LeakyReLU()), 4 * d


def _fc_decoder(shape: Sequence[int], dim: int, d: int) -> nn.Sequential:
    widths = [d * FC_SIDE**2, 2 * d * FC_SIDE**2]
    return nn.Sequential(*_layers([dim, *widths, math.prod(shape)], last=False), nn.Unflatten(1, tuple(shape)))


def _conv_decoder(shape: Sequence[int], dim: int, d: int) -> nn.Sequential:
    plan = conv_plan(shape)
    channels, side = d * plan.start[0], plan.start[1]
    layers: list[nn.Module] = [nn.Linear(dim, channels * side**2), nn.Unflatten(1, (channels, side, side))]
    for multiple, kernel, stride, padding, extra in plan.up:
        outputs = d * multiple or shape[0]
        layers.append(nn.ConvTranspose2d(channels, outputs, kernel, stride, padding, extra, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU()] if multiple else []
        channels = outputs
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """q(z, b | x): images (N, C, H, W) to mean, log variance (N, L) and binary logits (N, B)."""

    def __init__(
        self, *, input_shape: Sequence[int], network: Literal["fc", "conv"], latent: int, binary: int, d: int
    ) -> None:
        super().__init__()
        make = {"fc": _fc_encoder, "conv": _conv_encoder}[network]
        self.features, width = make(input_shape, d)
        self.heads = Heads(width, latent, binary)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, log variance and logits."""
        return self.heads(self.features(x))


class Decoder(nn.Module):
    """p(x | t(z, b, i)): translator and image network; what the continual model is.

    ``forward`` gives the output before the sigmoid, :meth:`images` the pixels.
    """

    def __init__(
        self, *, input_shape: Sequence[int], network: Literal["fc", "conv"], latent: int, binary: int, d: int,
        codes: Tensor,
    ) -> None:  # fmt: skip
        super().__init__()
        dim = latent * d
        self.translator = Translator(latent=latent, binary=binary, dim=dim, codes=codes)
        make = {"fc": _fc_decoder, "conv": _conv_decoder}[network]
        self.network = make(input_shape, dim, d)
        self.sigmoid = network == "fc" or conv_plan(input_shape).sigmoid

    def forward(self, z: Tensor, b: Tensor, task: Tensor) -> Tensor:
        """Raw output (N, C, H, W)."""
        return self.network(self.translator(z, b, task))

    def images(self, z: Tensor, b: Tensor, task: Tensor) -> Tensor:
        """Pixels (N, C, H, W)."""
        return self.pixels(self(z, b, task))

    def pixels(self, raw: Tensor) -> Tensor:
        """Raw output as pixels: in [0, 1], or log(1 + x) where the plan has no sigmoid."""
        return torch.sigmoid(raw) if self.sigmoid else raw
