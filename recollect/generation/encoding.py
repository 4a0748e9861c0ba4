"""Generators that have an encoder beside their decoder: reconstructions, and where images lie in the space Z."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from recollect.generation.latents import Latents, mode, posterior
from recollect.models.multiband import Decoder, Encoder


class Encodes(Protocol):
    """What a strategy offers that can encode images; its decoder is told the number of the task.

    Attributes:
        encoder_is_local: whether the encoder serves the newest task alone, so that images of an older task belong
            to the encoder that was stored after it; the decoder always serves all tasks.
    """

    encoder_is_local: bool

    @property
    def encoder(self) -> Encoder:
        """In evaluation mode."""

    @property
    def decoder(self) -> Decoder:
        """The continual model, in evaluation mode."""


@torch.no_grad()
def reconstruct(encoder: Encodes, decoder: Encodes, x: Tensor, task: int) -> Tensor:
    """Images (N, C, H, W) of a task through the encoder of one model and the decoder of another, or the same."""
    latents = mode(encoder.encoder(x))
    return decoder.decoder.images(*latents, _numbers(latents, task))


@torch.no_grad()
def aligned(encoder: Encodes, decoder: Encodes, x: Tensor, task: int, generator: torch.Generator) -> Tensor:
    """Where images (N, C, H, W) of a task lie in Z, (N, dim): a posterior sample, translated by the decoder."""
    latents = posterior(encoder.encoder(x), generator)
    return decoder.decoder.translator(*latents, _numbers(latents, task))


def _numbers(latents: Latents, task: int) -> Tensor:
    return torch.full((len(latents.z),), task, device=latents.z.device)
