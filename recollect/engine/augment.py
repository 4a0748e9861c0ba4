"""Augmentation of whole batches on the device, from an explicit generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

PADDING = 4
CROP_AREA = (0.05, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
TRIES = 10


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


@dataclass(frozen=True)
class Crops:
    """What is drawn for the resized crops of a batch: ``boxes`` int64 (B, 4) top, left, height, width in pixels
    of the stored image, and ``flip`` bool (B,), which crops are mirrored left to right."""

    boxes: Tensor
    flip: Tensor

    def take(self, places: Tensor) -> Crops:
        """Those of some images of the batch; ``places`` int64 (n,)."""
        places = places.cpu()
        return Crops(self.boxes[places], self.flip[places])


def draw_crops(sizes: Tensor, generator: torch.Generator) -> Crops:
    """Draw as torchvision's ``RandomResizedCrop`` and ``RandomHorizontalFlip`` do (Inception-style crops).

    Area uniform in :data:`CROP_AREA` of the image, logarithm of width / height uniform in that of
    :data:`CROP_RATIO`; the first of ten tries that fits the image, at a place that is uniform among those
    where it fits. If none fits: the largest central box within the ratios. Flipped with probability 1/2.

    Args:
        sizes: int64 (B, 2), height and width of every image.
        generator: CPU generator. What is drawn for an image depends on its place in the batch and its size.
    """
    sizes, batch = sizes.cpu(), len(sizes)
    area, shape, down, across = torch.rand(4, batch, TRIES, generator=generator, dtype=torch.float64)
    flip = torch.rand(batch, generator=generator) < 0.5
    height, width = sizes.double()[:, :, None].unbind(dim=1)
    pixels = height * width * (CROP_AREA[0] + (CROP_AREA[1] - CROP_AREA[0]) * area)
    low, high = (math.log(ratio) for ratio in CROP_RATIO)
    ratio = torch.exp(low + (high - low) * shape)
    tall, wide = (pixels / ratio).sqrt().round(), (pixels * ratio).sqrt().round()
    fits = (tall >= 1) & (wide >= 1) & (tall <= height) & (wide <= width)
    top, left = (down * (height - tall + 1)).floor(), (across * (width - wide + 1)).floor()
    tried = torch.stack([top, left, tall, wide], dim=2).long()
    first = tried[torch.arange(batch), fits.int().argmax(dim=1)]
    return Crops(torch.where(fits.any(dim=1)[:, None], first, _central_boxes(sizes)), flip)


def _central_boxes(sizes: Tensor) -> Tensor:
    """The largest boxes within the ratios, in the middle; int64 (B, 4)."""
    height, width = sizes.unbind(dim=1)
    wide = torch.minimum(width, (height.double() * CROP_RATIO[1]).round().long())
    tall = torch.minimum(height, (width.double() / CROP_RATIO[0]).round().long())
    return torch.stack([(height - tall) // 2, (width - wide) // 2, tall, wide], dim=1)
