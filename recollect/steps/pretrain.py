"""Pretrain: a backbone's weights, trained here or found, become safetensors with a record and a hash."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from recollect.datasets import Prepared, open_prepared
from recollect.engine.record import STASH, STATE, link
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.errors import RecollectError
from recollect.extractors.weights import read_weights, weights_sha256, write_weights
from recollect.files import canonical_json, read_json, sha256_text, write_json
from recollect.multimodal.pretraining import TowerPretrainer
from recollect.multimodal.registry import TowerSpec, get_tower_spec, never_trained, pretraining_module
from recollect.multimodal.towers import random_tower
from recollect.multimodal.weights import published_tower
from recollect.pretrained.pretraining import Pretrainer
from recollect.pretrained.registry import BackboneSpec
from recollect.pretrained.vit import random_vit
from recollect.pretrained.weights import INFO, WEIGHTS, Located, published_weights, recorded_sha256
from recollect.provenance.fingerprint import pretraining_fingerprint
from recollect.steps.places import Places

SCHEMA = 1


def pretrain(
    name: str, places: Places, data_dir: Path, *, offline: bool = False, save_every_s: float = 120.0
) -> dict[str, Any]:
    """Write ``weights.safetensors`` and, last, ``backbone.json``; returns the content of the latter.

    Args:
        name: a backbone of the registry, or a ViT of timm.
        places: the results folder; one that is trained here needs its data set there.
        data_dir: folder with official files, published weights in its folder ``weights``.
        offline: never open a connection.
        save_every_s: seconds between saved states of training.

    Raises:
        RecollectError: no weights to be had, data that are not prepared, or a backbone that is never trained.
    """
    spec = get_tower_spec(name)
    folder = places.backbone(name)
    if spec.pretraining is not None:
        return _pretrain_here(name, spec, places, save_every_s)
    if spec.embedded:
        weights, obtained = _random(spec), {"how": "random"}
    elif isinstance(spec, TowerSpec):
        weights, obtained = published_tower(spec, data_dir, offline=offline)
    else:
        weights, obtained = published_weights(name, data_dir, offline=offline)
    return _write(folder, {"schema": SCHEMA, "id": name, "title": spec.title, **obtained}, weights)


def _write(folder: Path, about: dict[str, Any], weights: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The record vouches for the weights, so it is never beside others."""
    (folder / INFO).unlink(missing_ok=True)
    write_weights(folder / WEIGHTS, weights)
    record = {**about, "sha256": weights_sha256(weights)}
    write_json(folder / INFO, record)
    return record


def _pretrain_here(name: str, spec: BackboneSpec, places: Places, save_every_s: float) -> dict[str, Any]:
    """Train, or bring back what was trained; finished weights have a second name, as finished runs have."""
    recipe, folder = spec.pretraining, places.backbone(name)
    assert recipe is not None
    data = open_prepared(places.data(recipe.dataset))
    code = pretraining_fingerprint(pretraining_module(spec))
    stamp = sha256_text(canonical_json([asdict(spec), data.info["content_sha256"], code]))
    record = _finished(folder / STASH, stamp)
    if record is None:
        use_deterministic_algorithms(recipe.threads)
        train = _train_tower if isinstance(spec, TowerSpec) else _train
        weights, obtained = train(spec, data, folder / STATE, stamp, save_every_s)
        about = {"schema": SCHEMA, "id": name, "title": spec.title, "stamp": stamp, "how": "trained", **obtained}
        about |= {
            "pretraining": asdict(recipe),
            "data_sha256": data.info["content_sha256"],
            "code_fingerprint": code,
        }
        record = _write(folder / STASH, about, weights)
    for file in (WEIGHTS, INFO):
        link(folder / STASH / file, folder / file)
    (folder / STATE).unlink(missing_ok=True)
    return record


def _finished(stash: Path, stamp: str) -> dict[str, Any] | None:
    """The record of weights with this stamp; None where there are none, or damaged ones."""
    try:
        record = read_json(stash / INFO, "")
        intact = record["stamp"] == stamp and weights_sha256(read_weights(stash / WEIGHTS)) == record["sha256"]
    except (RecollectError, KeyError, TypeError):
        return None
    return record if intact else None


def _random(spec: BackboneSpec) -> dict[str, torch.Tensor]:
    made = random_tower if isinstance(spec, TowerSpec) else random_vit
    return dict(made(spec.size, seed=0).state_dict())


def _train(
    spec: BackboneSpec, data: Prepared, state_file: Path, stamp: str, save_every_s: float
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    trainer = Pretrainer(spec, data.train_x, data.train_y, state_file, stamp, save_every_s, say=_say)
    weights = trainer.train()
    accuracy = trainer.accuracy(data.test_x, data.test_y)
    return weights, {"test_accuracy": accuracy, "wall_s": round(trainer.seconds, 1)}


def _train_tower(
    spec: BackboneSpec, data: Prepared, state_file: Path, stamp: str, save_every_s: float
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    assert isinstance(spec, TowerSpec)
    halves = {half: _modality(getattr(data, f"{half}_x"), spec) for half in ("train", "test")}
    trainer = TowerPretrainer(spec, halves["train"], data.train_y, state_file, stamp, save_every_s, say=_say)
    weights = trainer.train()
    return weights, {**trainer.judged(halves["test"], data.test_y), "wall_s": round(trainer.seconds, 1)}


def _modality(x: Any, spec: TowerSpec) -> Any:
    """The samples that a transformer is trained on: one modality of several, or images."""
    name = getattr(spec.pretraining, "modality", "")
    return x.values[name] if name else x


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def with_weights(spec: dict[str, Any], places: Places) -> dict[str, Any]:
    """A run's specification with the hashes of its backbones' weights in it, if its method has any.

    The hash becomes part of the backbone's name and so of the run's stamp and record; where the weights lie does
    not.

    Raises:
        RecollectError: the weights are not there.
    """
    method = spec["method"]
    hyper, train = dict(method["hyper"]), dict(method.get("train", {}))
    if hyper.get("pretrained", False) and "backbone" in hyper:
        hyper["backbone"] = locate("", hyper["backbone"], places)
    if train.get("mm_towers"):
        named = [entry.partition("=") for entry in train["mm_towers"]]
        train["mm_towers"] = [
            prefix + equals + name
            if never_trained(get_tower_spec(name))
            else locate(prefix + equals, name, places)
            for prefix, equals, name in named
        ]
    located = {**method, "hyper": hyper, **({"train": train} if train else {})}
    return spec if located == method else {**spec, "method": located}


def locate(prefix: str, name: str, places: Places) -> Located:
    """A backbone's name with the hash of its weights, which knows where they lie."""
    folder = places.backbone(name)
    return Located.at(prefix + name, recorded_sha256(folder, name), folder)
