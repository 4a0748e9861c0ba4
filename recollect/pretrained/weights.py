"""Weights of backbones: found beside the data or in timm's cache, written with a record, read back and checked."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recollect.engine.lean_import import import_timm
from recollect.errors import RecollectError
from recollect.extractors.weights import read_weights, weights_sha256
from recollect.files import read_json

INFO, WEIGHTS = "backbone.json", "weights.safetensors"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


class Located(str):
    """``name@hash``: a backbone's name with the beginning of its weights' hash, which also knows their folder.

    It is text wherever a configuration is hashed or written, so that a run's stamp and record hold the weights but
    not the place where they lie.
    """

    folder: Path

    @classmethod
    def at(cls, name: str, sha256: str, folder: Path) -> Located:
        """The name of weights in ``folder``."""
        located = cls(f"{name}@{sha256[:16]}")
        located.folder = Path(folder)
        return located


def recorded_sha256(folder: Path, name: str) -> str:
    """The hash of the weights in ``folder`` according to their record.

    Raises:
        RecollectError: there is none.
    """
    redo = f"make it with `recollect pretrain {name}`"
    record = read_json(folder / INFO, redo)
    if not isinstance(record, dict) or record.get("id") != name or not isinstance(record.get("sha256"), str):
        raise RecollectError(f"{folder / INFO} is damaged or of another backbone than {name}: {redo}")
    return record["sha256"]


def read_backbone(folder: Path, name: str) -> tuple[dict[str, Tensor], str]:
    """Weights that ``recollect pretrain`` wrote, and their hash.

    Raises:
        RecollectError: they are missing, or not the ones that their record names.
    """
    expected = recorded_sha256(folder, name)
    weights = read_weights(folder / WEIGHTS)
    if weights_sha256(weights) != expected:
        raise RecollectError(
            f"{folder / WEIGHTS} holds other weights than {INFO} beside it says: make it anew with `recollect "
            f"pretrain {name}`"
        )
    return weights, expected


def bare_timm(name: str) -> tuple[Any, int, int]:
    """A ViT of timm without head and with random weights, the side and the channels of its images.

    Raises:
        RecollectError: timm has no such model, or it is no plain ViT.
    """
    import_timm()
    import timm
    from timm.models.vision_transformer import VisionTransformer

    if not timm.is_model(name):
        models = timm.list_models(module="vision_transformer")
        near = difflib.get_close_matches(name, models, n=3) or ["vit_base_patch16_224"]
        raise RecollectError(f"timm has no model {name!r}: use one of its ViTs, e.g. {', '.join(near)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vit = timm.create_model(name, pretrained=False, num_classes=0)
    if not isinstance(vit, VisionTransformer):
        raise RecollectError(f"{name} of timm is a {type(vit).__name__}: backbones are plain VisionTransformers")
    channels, side, _ = vit.pretrained_cfg["input_size"]
    return vit, int(side), int(channels)


def published_weights(name: str, data_dir: Path, *, offline: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights of a timm model: a file of yours, else timm's cache, else a download.

    Args:
        name: of the model.
        data_dir: ``weights/<name>.safetensors`` (or .pth, .pt, .bin) in it is taken first.
        offline: never open a connection.

    Returns:
        (tensors that fit the model without its head, how they were obtained).

    Raises:
        RecollectError: there are none; says which file, where it comes from and where to put it.
    """
    vit, _, _ = bare_timm(name)
    local = [path for suffix in SUFFIXES if (path := data_dir / "weights" / f"{name}{suffix}").is_file()]
    if local:
        path, how = local[0], "a local file"
    else:
        path, how = _from_timm(vit, name, data_dir, offline)
    return _fitting(vit, read_weights(path), path), {"how": how, "file": path.name}


def _from_timm(vit: Any, name: str, data_dir: Path, offline: bool) -> tuple[Path, str]:
    from huggingface_hub import hf_hub_download

    repository = vit.pretrained_cfg.get("hf_hub_id") or f"timm/{name}"
    for local_only, how in ((True, "timm's cache"), (False, "downloaded")):
        if offline and not local_only:
            continue
        try:
            return Path(hf_hub_download(repository, "model.safetensors", local_files_only=local_only)), how
        except Exception:  # whatever the hub's client raises, the file is not there
            continue
    tried = "timm's cache" if offline else "timm's cache or on the Hugging Face hub, which was not reached"
    raise RecollectError(
        f"weights of backbone {name} are missing: {data_dir / 'weights' / name}.safetensors is not there, nor are "
        f"they in {tried}; take model.safetensors from https://huggingface.co/{repository} and put it there under "
        "that name, or set pretrained: false for random weights"
    )


def _fitting(vit: Any, weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    import_timm()
    from timm.models.vision_transformer import checkpoint_filter_fn

    fitted = checkpoint_filter_fn(dict(weights), vit)
    wanted = vit.state_dict()
    kept = {key: value for key, value in fitted.items() if key in wanted}
    wrong = [k for k in wanted if k not in kept or kept[k].shape != wanted[k].shape]
    if wrong:
        raise RecollectError(
            f"{path} does not hold the weights of this backbone, {wrong[0]} is missing or of another shape: "
            "replace it by the published file"
        )
    return {key: kept[key] for key in sorted(kept)}
