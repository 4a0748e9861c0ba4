"""Random resized crops on the device, a different one for every image of a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCALE, RATIO, ATTEMPTS = (0.05, 1.0), (3 / 4, 4 / 3), 10


def crop_boxes(n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Boxes (n, 4) of top, left, height and width in pixels: share of the area 0.05 to 1, aspect 3/4 to 4/3.

    The first of ten draws that fits into the image, as in torchvision's RandomResizedCrop; a centred square of the
    shorter side where none does.
    """
    share = torch.empty(n, ATTEMPTS).uniform_(*SCALE, generator=generator)
    ratio = torch.empty(n, ATTEMPTS).uniform_(*(math.log(r) for r in RATIO), generator=generator).exp()
    w, h = (share * ratio * height * width).sqrt().round(), (share / ratio * height * width).sqrt().round()
    fitting = (w > 0) & (h > 0) & (w <= width) & (h <= height)
    first = fitting.int().argmax(dim=1, keepdim=True)
    any_fits = fitting.any(dim=1)
    side = float(min(height, width))
    w = torch.where(any_fits, w.gather(1, first).squeeze(1), side)
    h = torch.where(any_fits, h.gather(1, first).squeeze(1), side)
    top, left = (torch.rand(n, generator=generator) for _ in range(2))
    top = torch.where(any_fits, (top * (height - h + 1)).floor(), (height - h) / 2)
    left = torch.where(any_fits, (left * (width - w + 1)).floor(), (width - w) / 2)
    return torch.stack([top, left, h, w], dim=1)


def resized_crop(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A random crop of every image (B, C, H, W), flipped with probability 1/2, at (side, side); bilinear.

    Args:
        x: images.
        side: of the output.
        generator: CPU generator; the draws do not depend on the device.
    """
    n, _, height, width = x.shape
    top, left, h, w = crop_boxes(n, height, width, generator).unbind(1)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1] = flip * w / width, h / height
    matrix[:, 0, 2], matrix[:, 1, 2] = (2 * left + w) / width - 1, (2 * top + h) / height - 1
    grid = torch.nn.functional.affine_grid(matrix.to(x.device), [n, x.shape[1], side, side], align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
