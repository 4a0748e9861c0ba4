"""The vocabulary of feature extractors: what one is, whence its weights come, which images it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recollect.datasets.spec import RemoteFile

VALUE_RANGE = (0.0, 1.0)
"""Extractors of pictures take values in this range and normalise them by themselves."""


@dataclass(frozen=True)
class Training:
    """How an extractor without published weights is trained: on a data set's training images, as a classifier.

    The values are those of the published extractors (Adapt & Align, notebook of the evaluation networks).
    """

    dataset: str
    epochs: int = 50
    batch_size: int = 64
    lr: float = 1e-3
    lr_decay: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class ExtractorSpec:
    """Everything Recollect knows about one extractor.

    `network` is a key of `networks.NETWORKS`, `n_outputs` the width of its classifier head, `feature_dim` of its
    features. `input_shape` is (C, H, W); None: any size, grey or colour. `files` are alternatives below
    `data_dir`, any one will do, each recognised by its SHA-256; without files, `training` says how weights are
    made, and without both they follow from the network's definition. `weights_sha256` is `weights.weights_sha256`
    of the tensors (None: not known, or trained here).

    `value_range`: of the images' values; None: numbers on the scale of their data, no bytes. `measured`: what is
    computed on the features of samples, FID and its like or distances of readout channels.
    """

    id: str
    title: str
    network: str
    n_outputs: int
    feature_dim: int
    input_shape: tuple[int, int, int] | None
    licence: str
    citation: str
    files: tuple[RemoteFile, ...] = ()
    training: Training | None = None
    weights_sha256: str | None = None
    value_range: tuple[float, float] | None = VALUE_RANGE
    measured: Literal["features", "channels"] = "features"

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether images of ``shape`` (C, H, W) can be given to it."""
        if self.input_shape is None:
            return len(shape) == 3 and shape[0] in (1, 3)
        return tuple(shape) == self.input_shape

    def takes_stored(self, shape: tuple[int, ...], dtype: str) -> bool:
        """Whether it is made for a data set with images of ``shape``, stored as ``uint8`` or ``float32``."""
        return self.takes(shape) and (dtype == "uint8") == (self.value_range is not None)
