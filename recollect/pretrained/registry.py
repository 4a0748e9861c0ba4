"""The backbones: those that the workflow trains itself, and every ViT of timm by its name. Read without torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from recollect.errors import RecollectError
from recollect.scenarios.protocols import random_state


@dataclass(frozen=True)
class Pretraining:
    """How an embedded backbone is trained: as a classifier of some classes of a data set's training images.

    Attributes:
        dataset, classes: the images; tasks are made of the other classes.
        epochs, batch_size, lr, weight_decay, warmup_epochs, label_smoothing: of AdamW with a cosine schedule.
        augmentation: none or crop_flip.
        seed: of weights, order and augmentation.
        threads: part of the recipe, as sums depend on it.
    """

    dataset: str
    classes: tuple[int, ...]
    epochs: int
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: int = 3
    label_smoothing: float = 0.1
    augmentation: str = "crop_flip"
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class BackboneSpec:
    """One backbone.

    Attributes:
        id: its name in configurations.
        title: for readers.
        size: arguments of :func:`recollect.pretrained.vit.small_vit`; empty for a model of timm.
        pretraining: how it is trained here; None for published weights.
    """

    id: str
    title: str
    size: dict[str, Any] = field(default_factory=dict)
    pretraining: Pretraining | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is ours and not timm's."""
        return bool(self.size)


def class_half(n_classes: int, seed: int = 0) -> tuple[int, ...]:
    """A fixed half of the classes, sorted: the first ones of a permutation that ``seed`` determines."""
    order = random_state(seed, "pretraining classes").permutation(n_classes)
    return tuple(sorted(int(c) for c in order[: n_classes // 2]))


VIT_CIFAR50 = BackboneSpec(
    id="vit_cifar50",
    title="Small ViT with a convolutional stem, trained here on 50 of the 100 classes of CIFAR-100",
    size={"image": 32, "channels": 3, "stem": (32, 64), "dim": 128, "depth": 6, "heads": 4},
    pretraining=Pretraining(dataset="cifar100", classes=class_half(100), epochs=30, threads=2),
)
VIT_DIGITS05 = BackboneSpec(
    id="vit_digits05",
    title="Tiny ViT with a convolutional stem, trained here on the digits 0 to 5",
    size={"image": 8, "channels": 1, "stem": (), "dim": 32, "depth": 2, "heads": 2},
    pretraining=Pretraining(
        dataset="digits",
        classes=(0, 1, 2, 3, 4, 5),
        epochs=15,
        batch_size=32,
        augmentation="none",
    ),
)
VIT_TINY = BackboneSpec(
    id="vit_tiny",
    title="Two blocks of width 16 on 8x8 grey images, never trained: for timing and tests",
    size={"image": 8, "channels": 1, "stem": (), "dim": 16, "depth": 2, "heads": 2},
)

BACKBONES: dict[str, BackboneSpec] = {spec.id: spec for spec in (VIT_CIFAR50, VIT_DIGITS05, VIT_TINY)}


def get_backbone_spec(name: str) -> BackboneSpec:
    """The backbone ``name``: ours, or else a model of timm, which is asked whether it exists when it is made.

    Raises:
        RecollectError: the name cannot be one of timm's.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    if not re.fullmatch(r"[a-z][\w]*(\.[\w]+)?", name):
        raise RecollectError(
            f"backbone {name!r} is none: use {', '.join(BACKBONES)} or the name of a ViT of timm, e.g. "
            "vit_base_patch16_224"
        )
    return BackboneSpec(id=name, title=f"{name} of timm")
