"""Augmentation of whole batches on the device, from an explicit generator."""

from __future__ import annotations

import torch
from torch import Tensor

PADDING = 4


def crop_flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random crop after zero padding by 4 pixels, then a horizontal flip with probability 1/2, per image.

    Args:
        x: float (B, C, H, W).
        generator: CPU generator; the draws do not depend on the device.
    """
    batch, _, height, width = x.shape
    shift = torch.randint(2 * PADDING + 1, (2, batch), generator=generator).to(x.device)
    flip = (torch.rand(batch, generator=generator) < 0.5).to(x.device)
    rows = torch.arange(height, device=x.device)[None] + shift[0][:, None]
    columns = torch.arange(width, device=x.device).expand(batch, width)
    columns = torch.where(flip[:, None], columns.flip(1), columns) + shift[1][:, None]
    padded = torch.nn.functional.pad(x, [PADDING] * 4)
    images = torch.arange(batch, device=x.device)[:, None, None, None]
    channels = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    return padded[images, channels, rows[:, None, :, None], columns[:, None, None, :]]


def augment(x: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Apply the augmentation named ``kind`` (``crop_flip``)."""
    return {"crop_flip": crop_flip}[kind](x, generator)
