"""The frozen transformers by name: those that the workflow trains itself, timm's, and some of transformers.

Read while planning, without torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recollect.pretrained.registry import BackboneSpec, Pretraining, get_backbone_spec


@dataclass(frozen=True)
class TowerPretraining(Pretraining):
    """How an embedded transformer is trained.

    Attributes:
        task: ``classes``: as a classifier; ``masked``: half of the patches are hidden and their values predicted
            (SimMIM), which looks at no label.
        modality: of the data set's rows that is trained on; empty where the data set has images.
        mask: share of hidden patches.
    """

    task: str = "classes"
    modality: str = ""
    mask: float = 0.5


@dataclass(frozen=True)
class TowerSpec(BackboneSpec):
    """A transformer for one modality.

    ``size`` holds the arguments of :func:`recollect.multimodal.towers.small_tower`; empty for published ones.

    Attributes:
        library: of published weights, ``transformers``.
        repository: on the Hugging Face hub.
        kind: ``spectrogram`` or ``bytes``.
    """

    library: str = ""
    repository: str = ""
    kind: str = ""


def _never_trained(name: str, shape: Sequence[int], patch: Sequence[int], dim: int, depth: int) -> TowerSpec:
    return TowerSpec(
        id=name,
        title=f"{depth} layers of width {dim}, never trained: for timing and tests",
        size={"shape": tuple(shape), "patch": tuple(patch), "dim": dim, "depth": depth, "heads": 4},
    )


_ALL = (
    TowerSpec(
        id="mm_upper_digits",
        title="Tiny transformer for upper halves of digits, trained here without labels",
        size={"shape": (1, 4, 8), "patch": (2, 4), "dim": 32, "depth": 2, "heads": 4},
        pretraining=TowerPretraining(
            dataset="digits_views", classes=(), epochs=10, lr=2e-3, augmentation="none", task="masked",
            modality="upper",
        ),
    ),
    TowerSpec(
        id="mm_lower_digits",
        title="Tiny transformer for lower halves of digits, trained here without labels",
        size={"shape": (1, 4, 8), "patch": (2, 4), "dim": 48, "depth": 3, "heads": 4},
        pretraining=TowerPretraining(
            dataset="digits_views", classes=(), epochs=10, lr=2e-3, augmentation="none", task="masked",
            modality="lower",
        ),
    ),
    TowerSpec(
        id="mm_image_fashion",
        title="Small ViT for 28x28 grey images, trained here on FashionMNIST, no class of which is a digit",
        size={"shape": (1, 28, 28), "patch": (7, 7), "dim": 64, "depth": 4, "heads": 4},
        pretraining=TowerPretraining(
            dataset="fashion_mnist", classes=tuple(range(10)), epochs=3, batch_size=256, lr=2e-3, warmup_epochs=1,
            augmentation="none",
        ),
    ),
    TowerSpec(
        id="mm_audio_masked",
        title="Small transformer for log-mel spectrograms, trained here without labels",
        size={"shape": (1, 40, 40), "patch": (8, 8), "dim": 64, "depth": 6, "heads": 4},
        pretraining=TowerPretraining(
            dataset="spoken_written_digits", classes=(), epochs=30, batch_size=64, lr=1e-3, augmentation="none",
            task="masked", modality="audio",
        ),
    ),
    TowerSpec(
        id="ast_audioset",
        title="Audio Spectrogram Transformer, ViT-B, trained on AudioSet (Gong et al. 2021)",
        library="transformers", repository="MIT/ast-finetuned-audioset-10-10-0.4593", kind="spectrogram",
    ),
    TowerSpec(
        id="byt5_small",
        title="Encoder of ByT5-small, multilingual, over UTF-8 bytes (Xue et al. 2022)",
        library="transformers", repository="google/byt5-small", kind="bytes",
    ),
    TowerSpec(
        id="mm_accelerometer_masked",
        title="Small transformer for windows of an accelerometer, trained here without labels",
        size={"shape": (3, 1, 256), "patch": (1, 16), "dim": 64, "depth": 4, "heads": 4},
        pretraining=TowerPretraining(
            dataset="uestc_mmea", classes=(), epochs=50, batch_size=64, lr=1e-3, augmentation="none",
            task="masked",
            modality="accelerometer",
        ),
    ),
    TowerSpec(
        id="mm_gyroscope_masked",
        title="Small transformer for windows of a gyroscope, trained here without labels",
        size={"shape": (3, 1, 256), "patch": (1, 16), "dim": 64, "depth": 4, "heads": 4},
        pretraining=TowerPretraining(
            dataset="uestc_mmea", classes=(), epochs=50, batch_size=64, lr=1e-3, augmentation="none",
            task="masked",
            modality="gyroscope",
        ),
    ),
    _never_trained("mm_random_shallow", (1, 1, 8), (1, 1), 32, 2),
    _never_trained("mm_random_deep", (1, 1, 12), (1, 2), 48, 4),
)  # fmt: skip

TOWERS: dict[str, TowerSpec] = {spec.id: spec for spec in _ALL}


def get_tower_spec(name: str) -> BackboneSpec:
    """The transformer ``name``: ours, or a ViT of timm.

    Raises:
        RecollectError: the name cannot be one of timm's.
    """
    return TOWERS[name] if name in TOWERS else get_backbone_spec(name)


def expected_shape(spec: BackboneSpec) -> tuple[int, ...] | None:
    """(C, H, W) that a ViT takes; None for what its library decides."""
    if spec.embedded:
        return tuple(spec.size["shape"]) if "shape" in spec.size else None
    side = re.search(r"_(\d{3})(\.|$)", spec.id)
    return (3, int(side[1]), int(side[1])) if side else None


def never_trained(spec: BackboneSpec) -> bool:
    """Whether its weights follow from a fixed seed, so that no file is needed."""
    return spec.embedded and spec.pretraining is None


def pretraining_module(spec: BackboneSpec) -> str:
    """The module whose code determines the weights; empty for published ones."""
    if not spec.embedded:
        return ""
    return (
        "recollect.multimodal.pretraining" if isinstance(spec, TowerSpec) else "recollect.pretrained.pretraining"
    )


def tower_names(entries: Sequence[str]) -> dict[str, str]:
    """Modality -> transformer of settings such as ``["audio=mm_audio", "image=mm_image"]``.

    Raises:
        ValueError: an entry of another form, or a modality named twice.
    """
    named: dict[str, Any] = {}
    for entry in entries:
        modality, equals, name = entry.partition("=")
        if not (modality and equals and name) or modality in named:
            raise ValueError(f"mm_towers holds {entry!r}: write modality=transformer, every modality once")
        named[modality] = name
    return named
