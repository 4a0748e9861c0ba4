"""Cutting boxes out of images and resizing them as torchvision and Pillow do, a box of its own for every image.

A separable resize is two small matrices, one over the rows and one over the columns. With matrices per image a
batch is two products, which accelerators like; on a CPU torch's own resize, one image after another, does
less work. Both are the same filter.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Kernel = Callable[[Tensor], Tensor]


def _triangle(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp_min(0)


def _cubic(x: Tensor) -> Tensor:
    """Keys' kernel with a = -1/2, which is Pillow's (torch uses -3/4 unless it filters)."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


KERNELS: dict[str, tuple[Kernel, float]] = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)}
"""Name -> kernel and the radius of its support, in pixels of the larger of the two grids."""


def resize_matrix(start: Tensor, length: Tensor, n_in: int, n_out: int, kernel: str) -> Tensor:
    """Weights (B, n_out, n_in) that resize the pixels ``start <= i < start + length`` of a line to ``n_out``.

    Shrinking widens the kernel (antialiasing). Pixels outside of the box have no weight; weights sum to one.

    Args:
        start, length: int64 (B,), the box of every image.
        n_in: pixels of a line.
        n_out: pixels wanted.
        kernel: a key of :data:`KERNELS`.
    """
    weigh, support = KERNELS[kernel]
    scale = length.double() / n_out
    width = scale.clamp_min(1.0)
    centres = (torch.arange(n_out, device=start.device).double() + 0.5) * scale[:, None]
    # Relative to the box: where every pixel of the line lies, at its centre.
    pixels = torch.arange(n_in, device=start.device).double() - start[:, None].double()
    distance = (pixels[:, None, :] + 0.5 - centres[:, :, None]) / width[:, None, None]
    inside = (pixels >= 0) & (pixels < length[:, None])
    weights = torch.where(inside[:, None, :] & (distance.abs() < support), weigh(distance), 0.0)
    return (weights / weights.sum(dim=2, keepdim=True)).float()


def resized_crops(
    canvas: Tensor, boxes: Tensor, size: tuple[int, int], kernel: str = "bilinear", flip: Tensor | None = None
) -> Tensor:
    """Cut a box out of every image and resize it.

    Args:
        canvas: (B, C, H, W), bytes or floats; an image may fill a corner of it only, the rest is never looked at.
        boxes: int64 (B, 4), top, left, height, width in pixels.
        size: height and width wanted.
        kernel: ``bilinear`` or ``bicubic``, both antialiased.
        flip: bool (B,), which are mirrored left to right afterwards.

    Returns:
        float (B, C, *size); bicubic overshoots the range of the pixels a little, as the filter does.
    """
    flip = torch.zeros(len(boxes), dtype=torch.bool) if flip is None else flip
    resize = one_by_one if canvas.device.type == "cpu" else all_at_once
    return resize(canvas, boxes, size, kernel, flip)


def one_by_one(canvas: Tensor, boxes: Tensor, size: tuple[int, int], kernel: str, flip: Tensor) -> Tensor:
    """:func:`resized_crops` by torch's antialiased resize."""
    out = torch.empty(len(canvas), canvas.shape[1], *size)
    for place, ((top, left, tall, wide), mirrored) in enumerate(zip(boxes.tolist(), flip.tolist(), strict=True)):
        crop = canvas[place : place + 1, :, top : top + tall, left : left + wide]
        made = torch.nn.functional.interpolate(crop.float(), size=size, mode=kernel, antialias=True)
        out[place] = made[0].flip(-1) if mirrored else made[0]
    return out


def all_at_once(canvas: Tensor, boxes: Tensor, size: tuple[int, int], kernel: str, flip: Tensor) -> Tensor:
    """:func:`resized_crops` by two matrices per image."""
    height, width = canvas.shape[-2:]
    top, left, tall, wide = boxes.to(canvas.device).unbind(dim=1)
    rows = resize_matrix(top, tall, height, size[0], kernel)
    columns = resize_matrix(left, wide, width, size[1], kernel)
    columns = torch.where(flip.to(canvas.device)[:, None, None], columns.flip(1), columns)
    return torch.einsum("bij,bcjk,blk->bcil", rows, canvas.float(), columns)


def resized_bytes(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Whole images resized by Pillow's bicubic filter: columns, then rows, each rounded to bytes.

    Args:
        x: float (B, C, H, W) of whole numbers 0..255.
        size: height and width wanted.
    """
    for target in ((x.shape[-2], size[1]), size):
        x = torch.nn.functional.interpolate(x, size=target, mode="bicubic", antialias=True)
        x = x.add_(0.5).floor_().clamp_(0, 255)  # half up, as Pillow rounds
    return x
