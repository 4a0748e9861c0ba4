"""From a transformer's name to a frozen tower with its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from recollect.errors import RecollectError
from recollect.extractors.weights import read_weights
from recollect.multimodal.registry import TowerSpec, expected_shape, get_tower_spec, never_trained
from recollect.multimodal.towers import BytesTower, FramesTower, SpectrogramTower, Tower, random_tower
from recollect.pretrained.registry import BackboneSpec
from recollect.pretrained.weights import INFO, SUFFIXES, WEIGHTS, Located, bare_timm, read_backbone

PREFIXES = ("", "audio_spectrogram_transformer.", "encoder.")
"""Under which published files may hold the bare network."""
ALIASES = {"embed_tokens.weight": "shared.weight"}


def bare_transformers(spec: TowerSpec) -> Any:
    """The network of AST or of the encoder of ByT5-small with random weights, of its published size.

    Raises:
        RecollectError: the library is not installed.
    """
    try:
        from transformers import ASTConfig, ASTModel, T5Config, T5EncoderModel
        from transformers.utils import logging
    except ImportError:
        raise RecollectError(
            f"transformer {spec.id} needs the library transformers: install the locked requirements"
        ) from None
    logging.set_verbosity_error()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if spec.kind == "spectrogram":
            return ASTModel(ASTConfig())
        config = T5Config(
            vocab_size=384, d_model=1472, d_kv=64, d_ff=3584, num_layers=12, num_heads=6,
            feed_forward_proj="gated-gelu",
        )  # fmt: skip
        return T5EncoderModel(config).encoder


def bare_network(spec: BackboneSpec) -> Any:
    """The network of a transformer without its weights."""
    if spec.embedded:
        return random_tower(spec.size, seed=0)
    if isinstance(spec, TowerSpec) and spec.library == "transformers":
        return bare_transformers(spec)
    return bare_timm(spec.id)[0]


def _made(network: Any, spec: BackboneSpec, sha256: str, shape: Sequence[int]) -> Tower:
    if isinstance(spec, TowerSpec) and spec.kind:
        return {"spectrogram": SpectrogramTower, "bytes": BytesTower}[spec.kind](network, spec.id, sha256, shape)
    if spec.embedded:
        return Tower(network, spec.id, sha256, spec.size["shape"])
    return (FramesTower if len(shape) == 4 else Tower)(network, spec.id, sha256, shape)


def check_shape(spec: BackboneSpec, modality: str, shape: Sequence[int]) -> None:
    """Raise RecollectError where samples do not fit a transformer.

    A ViT of timm takes images or the frames of a video; an embedded one whatever has as many numbers.
    """
    wanted = expected_shape(spec)
    fits = wanted is None or (
        math.prod(shape) == math.prod(wanted) if spec.embedded else tuple(shape[-3:]) == wanted
    )
    if not fits:
        raise RecollectError(
            f"transformer {spec.id} takes samples of shape {wanted}, modality {modality} has {tuple(shape)}: "
            "choose another transformer in mm_towers"
        )


def published_tower(
    spec: TowerSpec, data_dir: Path, *, offline: bool
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights of a model of the transformers library: a file of yours, else the hub's cache, else a download.

    Args:
        spec: with ``repository``.
        data_dir: ``weights/<id>.safetensors`` (or .pth, .pt, .bin) in it is taken first.
        offline: never open a connection.

    Raises:
        RecollectError: there are none, or they are of another network; says which file to put where.
    """
    local = [path for suffix in SUFFIXES if (path := data_dir / "weights" / f"{spec.id}{suffix}").is_file()]
    path, how = (local[0], "a local file") if local else _from_hub(spec, data_dir, offline)
    wanted = bare_transformers(spec).state_dict()
    found = read_weights(path)
    names = {key: [*(prefix + key for prefix in PREFIXES), ALIASES.get(key, key)] for key in wanted}
    kept = {key: found[own] for key, owns in names.items() for own in reversed(owns) if own in found}
    wrong = [k for k in wanted if k not in kept or kept[k].shape != wanted[k].shape]
    if wrong:
        raise RecollectError(
            f"{path} does not hold the weights of {spec.id}, {wrong[0]} is missing or of another shape: replace "
            "it by the published file"
        )
    return {key: kept[key] for key in sorted(kept)}, {"how": how, "file": path.name}


def _from_hub(spec: TowerSpec, data_dir: Path, offline: bool) -> tuple[Path, str]:
    from huggingface_hub import hf_hub_download

    for local_only, how in ((True, "the hub's cache"), (False, "downloaded")):
        if offline and not local_only:
            continue
        try:
            return Path(hf_hub_download(spec.repository, "model.safetensors", local_files_only=local_only)), how
        except Exception:  # whatever the hub's client raises, the file is not there
            continue
    raise RecollectError(
        f"weights of transformer {spec.id} are missing: take model.safetensors of {spec.repository} on the "
        f"Hugging Face hub and put it there as {data_dir / 'weights' / spec.id}.safetensors"
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
        raise RecollectError(
            f"backbone {plain} is no tower of an encoder: choose one of recollect/multimodal/registry"
        )
    network, sha256 = bare_network(spec), ""
    if not never_trained(spec):
        folder = name.folder if isinstance(name, Located) else Path("results") / "backbones" / plain
        weights, sha256 = read_backbone(folder, plain)
        if not sha256.startswith(wanted):
            raise RecollectError(
                f"{folder} holds weights {sha256[:16]} of {plain}, asked for are {wanted}: it was made anew "
                f"since, "
                "train again"
            )
        try:
            network.load_state_dict(weights)
        except RuntimeError:
            raise RecollectError(
                f"{folder / WEIGHTS} holds the weights of another network than {plain}: delete {folder / INFO} "
                "and make it again"
            ) from None
    return _made(network.to(device), spec, sha256, shape)
