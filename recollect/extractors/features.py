"""From images to features: the one way in which numbers for FID, precision and recall are made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recollect.extractors.errors import ExtractorError
from recollect.extractors.networks import build
from recollect.extractors.registry import EXTRACTORS, get_extractor_spec
from recollect.extractors.spec import VALUE_RANGE, ExtractorSpec
from recollect.extractors.weights import read_weights, weights_sha256
from recollect.files import read_json

INFO, WEIGHTS = "extractor.json", "weights.safetensors"
BATCH_ROWS = 64
ROUNDING = 1e-4
"""How far float images may leave the value range: sums of interpolation weights are not exactly one."""


@dataclass(frozen=True)
class Extractor:
    """A network ready to use.

    Attributes:
        spec: what it is.
        network: in evaluation mode, on its device.
        sha256: `weights.weights_sha256` of its weights; belongs to every number made with it.
    """

    spec: ExtractorSpec
    network: nn.Module
    sha256: str

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(chain(self.network.parameters(), self.network.buffers())).device


def load_extractor(folder: Path, device: torch.device | str = "cpu") -> Extractor:
    """Load what ``recollect extractor`` wrote to `folder`.

    Raises:
        RecollectError: nothing is there, or the weights are not those that its record names.
    """
    redo = f"make it with `recollect extractor {folder.name}`"
    record = read_json(folder / INFO, redo)
    if not isinstance(record, dict) or not {"id", "sha256"} <= record.keys():
        raise ExtractorError(f"{folder / INFO} is damaged: {redo}")
    spec = get_extractor_spec(record["id"])
    weights = read_weights(folder / WEIGHTS)
    found = weights_sha256(weights)
    if found != record["sha256"]:
        raise ExtractorError(f"{folder / WEIGHTS} holds other weights than {INFO} beside it says: {redo}")
    return Extractor(spec, build(spec, weights).to(device), found)


def features(
    extractor: Extractor, images: Tensor | np.ndarray, batch_size: int = BATCH_ROWS, *, legacy_range: bool = False
) -> np.ndarray:
    """Features of images, computed in blocks.

    Float images go in as they are, as in the published evaluations. torch-fidelity's convention is to make bytes
    of samples first: between the halves of MNIST's test images, one of them moved and noisy, rounding to bytes
    changes the FID by less than 0.02 %, cutting off by up to 0.7 %. Only Inception, which takes bytes, rounds.

    Args:
        extractor: of the images' shape.
        images: uint8 (N, C, H, W), or floating point in the value range of the extractor, [0, 1] of most; a memory
            map is read block by block.
        batch_size: images per block.
        legacy_range: let float images in [-1, 1] pass unscaled, the slip of the published GAN evaluation; for
            reproducing its numbers only.

    Returns:
        float32 (N, feature_dim).

    Raises:
        ExtractorError: another shape or type, no images, values that are not finite or out of range.
    """
    check_images(extractor.spec, images)
    if legacy_range and extractor.spec.network == "inception":
        raise ExtractorError(f"extractor {extractor.spec.id} takes bytes: legacy_range cannot be kept with it")
    value_range = (-1.0, 1.0) if legacy_range else extractor.spec.value_range
    blocks = []
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            x = as_float(extractor.spec, images[start : start + batch_size], value_range)
            blocks.append(extractor.network.features(x.to(extractor.device)).float().cpu().numpy())
    return np.concatenate(blocks)


def check_images(spec: ExtractorSpec, images: Any) -> None:
    """Raise ExtractorError unless `images` are of a shape that the extractor takes."""
    shape = tuple(images.shape)
    if len(shape) != 4 or not spec.takes(shape[1:]):
        fitting = [other.id for other in EXTRACTORS.values() if len(shape) == 4 and other.takes(shape[1:])]
        wanted = spec.input_shape or "(1 or 3, H, W)"
        advice = f"choose an extractor for them ({', '.join(fitting)})" if fitting else "give images (N, C, H, W)"
        raise ExtractorError(
            f"extractor {spec.id} takes images of shape {wanted}, these are an array of shape {shape}: {advice}"
        )
    if shape[0] == 0:
        raise ExtractorError(f"extractor {spec.id} was given no images: give at least one")


def as_float(
    spec: ExtractorSpec, block: Tensor | np.ndarray, value_range: tuple[float, float] | None = VALUE_RANGE
) -> Tensor:
    """A block of images as float32: bytes divided by 255, floats as they are but checked; None is any value."""
    x = block if isinstance(block, Tensor) else torch.from_numpy(np.array(block))
    if x.dtype == torch.uint8 and value_range is not None:
        return x.float() / 255
    if not x.is_floating_point():
        taken = "floating-point" if value_range is None else "uint8 or floating-point"
        raise ExtractorError(f"extractor {spec.id} takes {taken} images, these are {x.dtype}: convert them")
    if not torch.isfinite(x).all():
        raise ExtractorError(f"extractor {spec.id} was given images with values that are not finite: drop them")
    if value_range is None:
        return x.float()
    (low, high), least, most = value_range, float(x.min()), float(x.max())
    if least < low - ROUNDING or most > high + ROUNDING:
        raise ExtractorError(
            f"extractor {spec.id} takes float images in [{low:g}, {high:g}], these reach from {least:.4g} to "
            f"{most:.4g}: rescale them, (x + 1) / 2 for a tanh generator, x / 255 for bytes"
        )
    return x.float()
