"""Corruptions and perturbations made from test images, for where no official archive is at hand.

Corruptions come from imagecorruptions-imaug, the kept fork of imagecorruptions (Michaelis et al. 2019), whose
functions and severities are those of ImageNet-C. CIFAR-100-C has weaker severities of its own: numbers on
images made here stand for no published number. Perturbations are sequences of 31 frames after CIFAR-10-P.

Decisions [D]: images smaller than 32 x 32 are corrupted at 32 x 32 (bilinear) and scaled back, as the
functions need 32 pixels; grey images become grey again by the mean of the channels. One seed per image,
corruption and severity, so that the files are the same each time and a part can be made anew; what a function
cannot corrupt with twenty seeds stays as it is.
"""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SMALLEST = 32
FRAMES = 31
REDRAWS = 20
PACKAGE = "imagecorruptions-imaug"
CORRUPTION_NAMES = (
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_blur",
    "gaussian_noise", "glass_blur", "impulse_noise", "jpeg_compression", "motion_blur", "pixelate", "saturate",
    "shot_noise", "snow", "spatter", "speckle_noise", "zoom_blur",
)  # fmt: skip
"""The nineteen of CIFAR-100-C, in the order of its files."""


def describe(kind: str, title: str | None) -> str:
    """What tables say of images made here; `title` is that of the official archive, if there is one."""
    if kind == "corruptions":
        made = f"corruptions made here with {PACKAGE} {version(PACKAGE)} (severities of ImageNet-C)"
    else:
        made = f"sequences made here ({', '.join(PERTURBATIONS)})"
    return made if title is None else f"{made}, not {title}"


def corrupted(images: np.ndarray, name: str, severity: int) -> np.ndarray:
    """Corrupt every image.

    Args:
        images: uint8 (N, H, W, C), one or three channels.
        name: one of :data:`CORRUPTION_NAMES`.
        severity: 1 to 5.

    Returns:
        uint8 of the same shape.
    """
    from imagecorruptions import corrupt, corruption_dict

    takes_seed = "seed" in inspect.signature(corruption_dict[name]).parameters
    out = np.empty_like(images)
    with _numpy_state():
        for row, image in enumerate(images):
            large, seed = _large_colour(image), zlib.crc32(f"{name} {severity} {row}".encode())
            made = None
            for again in range(REDRAWS):
                np.random.seed(seed ^ again)  # noqa: NPY002 - the package draws from NumPy's global stream
                own = {"seed": seed ^ again} if takes_seed else {}
                # A layer of spatter may come out empty and is then divided by zero, which no byte can hold.
                with suppress(FloatingPointError), np.errstate(invalid="raise"):
                    made = corrupt(large, severity=severity, corruption_name=name, **own)
                    break
            out[row] = image if made is None else _back(made, image.shape)
    return out


@contextmanager
def _numpy_state() -> Iterator[None]:
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _large_colour(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 1 or 3) to (h, w, 3) with both sides at least 32."""
    colour = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    height, width = image.shape[:2]
    if min(height, width) >= SMALLEST:
        return np.ascontiguousarray(colour)
    factor = SMALLEST / min(height, width)
    size = (math.ceil(width * factor), math.ceil(height * factor))
    return np.asarray(Image.fromarray(colour).resize(size, Image.Resampling.BILINEAR))


def _back(made: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    made = np.asarray(made).astype(np.uint8)
    if made.shape[:2] != shape[:2]:
        made = np.asarray(Image.fromarray(made).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
    if shape[2] == 1:
        return np.round(made.mean(axis=2, keepdims=True)).astype(np.uint8)
    return made


# Perturbations: frame -> change, from one end over (nearly) none in the middle to the other end ----------------


def _affine(x: Tensor, angle: float = 0.0, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import affine

    pixels = [round(shift * x.shape[-1]), 0]
    return affine(x, angle, pixels, scale, [0.0], interpolation=InterpolationMode.BILINEAR)


def _noise(x: Tensor, frame: int) -> Tensor:
    drawn = torch.randn(x.shape, generator=torch.Generator().manual_seed(frame))
    return (x.float() + 0.04 * 255 * drawn).round().clamp(0, 255).to(torch.uint8)


def _brightness(x: Tensor, part: float) -> Tensor:
    return (x.float() + 0.2 * 255 * part).round().clamp(0, 255).to(torch.uint8)


PERTURBATIONS: dict[str, Callable[[Tensor, int, float], Tensor]] = {
    "brightness": lambda x, frame, part: _brightness(x, part),
    "gaussian_noise": lambda x, frame, part: _noise(x, frame),
    "rotate": lambda x, frame, part: _affine(x, angle=15 * part),
    "scale": lambda x, frame, part: _affine(x, scale=1.0 + 0.25 * part),
    "translate": lambda x, frame, part: _affine(x, shift=0.25 * part),
}
"""Name -> change of a batch (N, C, H, W) in a frame; the part of the way runs from -1 over 0 to 1."""


def perturbed(images: np.ndarray, name: str) -> np.ndarray:
    """Sequences uint8 (N, 31, H, W, C) of images (N, H, W, C), by torchvision."""
    x = torch.from_numpy(np.array(images.transpose(0, 3, 1, 2)))
    middle = (FRAMES - 1) / 2
    frames = [PERTURBATIONS[name](x, frame, (frame - middle) / middle) for frame in range(FRAMES)]
    return torch.stack(frames, dim=1).permute(0, 1, 3, 4, 2).contiguous().numpy()
