"""Generators that have an encoder beside their decoder: reconstructions, and where images lie in the space Z."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from recollect.generation.latents import Latents
from recollect.models.multiband import Decoder

HOOK = "latents"
"""The method by whose name such generators are known."""


class Encodes(Protocol):
    """What a strategy offers that can encode images; its decoder is told the number of the task.

    Attributes:
        encoder_is_local: whether the encoder serves the newest task alone, so that images of an older task belong
            to the encoder that was stored after it; the decoder always serves all tasks.
    """

    encoder_is_local: bool

    @property
    def decoder(self) -> Decoder:
        """The continual model, in evaluation mode."""

    def latents(self, x: Tensor) -> Latents:
        """The likeliest latents of images (N, C, H, W)."""


@torch.no_grad()
def reconstruct(encoder: Encodes, decoder: Encodes, x: Tensor, task: int) -> Tensor:
    """Images (N, C, H, W) of a task through the encoder of one model and the decoder of another, or the same."""
    z, b = encoder.latents(x)
    return decoder.decoder.images(z, b, torch.full((len(z),), task, device=z.device))


@torch.no_grad()
def aligned(encoder: Encodes, decoder: Encodes, x: Tensor, task: int) -> Tensor:
    """Where images (N, C, H, W) of a task lie in Z, (N, dim), by the translator of the decoder's model."""
    z, b = encoder.latents(x)
    return decoder.decoder.translator(z, b, torch.full((len(z),), task, device=z.device))
