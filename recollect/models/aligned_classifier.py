"""The classifier of Adapt & Align: images to the aligned latent space Z, and a head from there to classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

FEATURE_NETWORKS = ("mlp400", "resnet18", "resnet34")


def feature_network(name: str, input_shape: Sequence[int], dim: int) -> nn.Module:
    """F: images (N, C, H, W) to Z (N, dim); ResNets are torchvision's, not pre-trained."""
    if name == "mlp400":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(input_shape), 400), nn.LeakyReLU(), nn.Linear(400, 400),
            nn.LeakyReLU(), nn.Linear(400, dim), nn.LeakyReLU(),
        )  # fmt: skip
    from torchvision import models

    return getattr(models, name)(weights=None, num_classes=dim)


class AlignedClassifier(nn.Module):
    """Feature extractor F and head; the head is |Z| -> |Z| -> classes with LeakyReLU between."""

    def __init__(self, features: nn.Module, dim: int, n_classes: int) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.LeakyReLU(), nn.Linear(dim, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, n_classes)."""
        return self.head(self.features(x))
