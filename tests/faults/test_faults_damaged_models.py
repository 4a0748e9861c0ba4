"""Weights, snapshots and features with a flipped bit or a cut: refused with their name, or read as they were."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from test_faults_damaged_files import damage

from recollect.engine.answering import restore_model, save_model
from recollect.engine.snapshots import load_snapshot, save_snapshot, snapshot_hashes
from recollect.errors import RecollectError
from recollect.extractors.features import load_extractor
from recollect.extractors.networks import NETWORKS
from recollect.extractors.reference_file import Reference, read_reference, write_reference
from recollect.extractors.registry import get_extractor_spec
from recollect.extractors.weights import weights_sha256, write_weights
from recollect.files import write_json
from recollect.pretrained.weights import read_backbone

TENSORS = {"a.weight": torch.linspace(-1, 1, 600).reshape(20, 30), "b": torch.arange(12, dtype=torch.float32)}
Kind = tuple[Path, Callable[[], object]]
"""The file to damage, and what reads it: something that can be compared."""


def plain(tensors: dict[str, torch.Tensor]) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in sorted(tensors.items())}


def snapshot(folder: Path) -> Kind:
    save_snapshot(folder, 0, TENSORS)
    hashes = snapshot_hashes(folder, 1)
    return folder / "snapshots/task0.safetensors", lambda: plain(load_snapshot(folder, 0, hashes, "train again"))


def stored_model(folder: Path) -> Kind:
    class Strategy:
        model = torch.nn.Linear(30, 20)

    sha256 = save_model(folder, Strategy.model.state_dict())
    (file,) = folder.iterdir()

    def read() -> dict[str, bytes]:
        restore_model(Strategy(), folder, sha256, "train again")
        return plain(Strategy.model.state_dict())

    return file, read


def features(folder: Path) -> Kind:
    rng = np.random.default_rng(0)
    tasks = [rng.standard_normal((n, 16)).astype(np.float32) for n in (30, 50)]
    file = folder / "seed0.npz"
    write_reference(file, Reference(tasks, "cnn_digits", "a" * 64, "b" * 64))

    def read() -> tuple[object, ...]:
        found = read_reference(file)
        content = [(task.shape, task.dtype, task.tobytes()) for task in found.tasks]
        return content, found.extractor, found.extractor_sha256, found.split_sha256

    return file, read


def backbone(folder: Path) -> Kind:
    write_weights(folder / "weights.safetensors", TENSORS)
    write_json(folder / "backbone.json", {"id": "vit", "sha256": weights_sha256(TENSORS)})
    return folder / "weights.safetensors", lambda: plain(read_backbone(folder, "vit")[0])


def extractor(folder: Path) -> Kind:
    spec = get_extractor_spec("cnn_digits")
    weights = dict(NETWORKS[spec.network](spec.n_outputs).state_dict())
    weights = {name: value for name, value in weights.items() if value.is_floating_point()}
    write_weights(folder / "weights.safetensors", weights)
    write_json(folder / "extractor.json", {"id": spec.id, "sha256": weights_sha256(weights)})
    return folder / "weights.safetensors", lambda: load_extractor(folder).sha256


def record_of(make: Callable[[Path], Kind], name: str) -> Callable[[Path], Kind]:
    def made(folder: Path) -> Kind:
        return folder / name, make(folder)[1]

    return made


KINDS = {
    "snapshot": snapshot,
    "stored model": stored_model,
    "reference features": features,
    "backbone": backbone,
    "record of a backbone": record_of(backbone, "backbone.json"),
    "extractor": extractor,
    "record of an extractor": record_of(extractor, "extractor.json"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_by_name_or_harmless(kind: str, tmp_path: Path, rng: random.Random, times: int) -> None:
    file, read = KINDS[kind](tmp_path)
    expected, original, found = read(), file.read_bytes(), 0
    for _ in range(4 * times):
        what, said = damage(file, rng), ""
        try:
            assert read() == expected, what
        except RecollectError as error:
            said = str(error)
        assert not said or str(file) in said or str(file.parent) in said, f"{what}: {said}"
        found += bool(said)
        file.write_bytes(original)
    assert found > 2 * times, "most damage matters"
