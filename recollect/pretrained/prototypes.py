"""Class prototypes: mean features, compared by cosine (SimpleCIL, APER, EASE, MOS)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize


def class_means(features: Tensor, y: Tensor, classes: Sequence[int]) -> Tensor:
    """Mean feature of every class, (len(classes), d), of features (n, d) with labels y (n,)."""
    return torch.stack([features[y == c].mean(dim=0) for c in classes])


def cosine(features: Tensor, prototypes: Tensor) -> Tensor:
    """Cosine of every feature (B, d) with every prototype (K, d): (B, K)."""
    return normalize(features) @ normalize(prototypes).T


class Prototypes:
    """Prototypes of the classes seen so far.

    Attributes:
        classes: in order of arrival.
        matrix: (len(classes), d), None before the first.
    """

    def __init__(self) -> None:
        self.classes: list[int] = []
        self.matrix: Tensor | None = None

    def add(self, features: Tensor, y: Tensor, classes: Sequence[int]) -> None:
        """The prototypes of new classes."""
        means = class_means(features, y, classes)
        self.matrix = means if self.matrix is None else torch.cat([self.matrix, means])
        self.classes += list(classes)

    def scores(self, features: Tensor) -> Tensor:
        """Cosines (B, seen classes)."""
        assert self.matrix is not None
        return cosine(features, self.matrix)

    def state_dict(self) -> dict[str, object]:
        """Classes and prototypes."""
        return {"classes": list(self.classes), "matrix": self.matrix}

    def load_state_dict(self, state: dict) -> None:
        """Put back what :meth:`state_dict` returned."""
        self.classes, self.matrix = list(state["classes"]), state["matrix"]
