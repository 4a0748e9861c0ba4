"""Cutting boxes out of images and resizing them, a whole batch at once, as Pillow does it.

A separable resize is two small matrices, one over the rows and one over the columns. With a matrix per image
every image may have its own box, and a batch is two products, whatever the device.
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
    canvas: Tensor, boxes: Tensor, size: tuple[int, int], kernel: str = "bilinear", flip: Tensor | None = None,
    as_bytes: bool = False,
) -> Tensor:  # fmt: skip
    """Cut a box out of every image and resize it.

    Args:
        canvas: float (B, C, H, W); an image may fill a corner of it only, the rest is never looked at.
        boxes: int64 (B, 4), top, left, height, width in pixels.
        size: height and width wanted.
        kernel: ``bilinear`` or ``bicubic``, both antialiased.
        flip: bool (B,), which are mirrored left to right afterwards.
        as_bytes: round and cut to 0..255 after each pass, columns first, as Pillow does with bytes.

    Returns:
        float (B, C, *size); bicubic overshoots the range of the pixels a little, unless ``as_bytes``.
    """
    height, width = canvas.shape[-2:]
    boxes = boxes.to(canvas.device)
    top, left, tall, wide = boxes.unbind(dim=1)
    rows = resize_matrix(top, tall, height, size[0], kernel)
    columns = resize_matrix(left, wide, width, size[1], kernel)
    if flip is not None:
        columns = torch.where(flip.to(canvas.device)[:, None, None], columns.flip(1), columns)
    if not as_bytes:
        return torch.einsum("bij,bcjk,blk->bcil", rows, canvas, columns)
    narrow = _bytes(torch.einsum("bcjk,blk->bcjl", canvas, columns))
    return _bytes(torch.einsum("bij,bcjl->bcil", rows, narrow))


def _bytes(x: Tensor) -> Tensor:
    """Rounded half up, as Pillow does, and cut to 0..255; in place."""
    return x.add_(0.5).floor_().clamp_(0, 255)
