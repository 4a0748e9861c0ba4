"""From a transformer's name to a frozen tower with its weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from recollect.errors import RecollectError
from recollect.multimodal.registry import TowerSpec, get_tower_spec, never_trained
from recollect.multimodal.towers import FramesTower, SpectrogramTower, TextTower, Tower, random_tower
from recollect.pretrained.registry import BackboneSpec
from recollect.pretrained.weights import INFO, WEIGHTS, Located, bare_timm, read_backbone

POSITIONS = "pos_embed"


def bare_transformers(spec: TowerSpec) -> Any:
    """The network of a model of the transformers library with random weights, of its published size.

    Raises:
        RecollectError: the library is not installed.
    """
    try:
        from transformers import ASTConfig, ASTModel, BertConfig, BertModel
        from transformers.utils import logging
    except ImportError:
        raise RecollectError(
            f"transformer {spec.id} needs the library transformers: install the locked requirements"
        ) from None
    logging.set_verbosity_error()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if spec.kind == "spectrogram":
            return ASTModel(ASTConfig(attn_implementation="eager"))
        return BertModel(BertConfig(vocab_size=119547, attn_implementation="eager"), add_pooling_layer=False)


def bare_network(spec: BackboneSpec) -> Any:
    """The network of a transformer without its weights."""
    if spec.embedded:
        return random_tower(spec.size, seed=0)
    if isinstance(spec, TowerSpec) and spec.library == "transformers":
        return bare_transformers(spec)
    return bare_timm(spec.id)[0]


def _made(network: Any, spec: BackboneSpec, sha256: str, shape: Sequence[int]) -> Tower:
    if isinstance(spec, TowerSpec) and spec.kind:
        return {"spectrogram": SpectrogramTower, "text": TextTower}[spec.kind](network, spec.id, sha256, shape)
    frames = len(shape) == 4
    return (FramesTower if frames else Tower)(network, spec.id, sha256, shape)


def expected_shape(spec: BackboneSpec) -> tuple[int, ...] | None:
    """(C, H, W) that a ViT takes; None for what its library decides."""
    if spec.embedded:
        return tuple(spec.size["shape"])
    side = re.search(r"_(\d{3})(\.|$)", spec.id)
    return (3, int(side[1]), int(side[1])) if side else None


def check_shape(spec: BackboneSpec, modality: str, shape: Sequence[int]) -> None:
    """Raise RecollectError where samples do not fit a transformer; videos are judged by their frames."""
    wanted = expected_shape(spec)
    if wanted is not None and tuple(shape[-3:]) != wanted:
        raise RecollectError(
            f"transformer {spec.id} takes samples of shape {wanted}, modality {modality} has {tuple(shape)}: choose "
            "another transformer in mm_towers"
        )


def load_tower(name: str, modality: str, shape: Sequence[int], device: torch.device | str = "cpu") -> Tower:
    """A frozen transformer with its weights.

    Args:
        name: in the registry or a ViT of timm; a :class:`Located` one knows its folder, any other is looked for in
            ``results/backbones``.
        modality, shape: what it is for.
        device: where it goes.

    Raises:
        RecollectError: no such transformer, no weights or others than recorded, or samples that do not fit.
    """
    plain, _, wanted = name.partition("@")
    spec = get_tower_spec(plain)
    check_shape(spec, modality, shape)
    if spec.embedded and "shape" not in spec.size:
        raise RecollectError(f"backbone {plain} is no tower of an encoder: choose one of recollect/multimodal/registry")
    network, sha256 = bare_network(spec), ""
    if not never_trained(spec):
        folder = name.folder if isinstance(name, Located) else Path("results") / "backbones" / plain
        weights, sha256 = read_backbone(folder, plain)
        if not sha256.startswith(wanted):
            raise RecollectError(
                f"{folder} holds weights {sha256[:16]} of {plain}, asked for are {wanted}: it was made anew since, "
                "train again"
            )
        try:
            network.load_state_dict(weights)
        except RuntimeError:
            raise RecollectError(
                f"{folder / WEIGHTS} holds the weights of another network than {plain}: delete {folder / INFO} and "
                "make it again"
            ) from None
    return _made(network.to(device), spec, sha256, shape)
