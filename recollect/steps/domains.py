"""Domains: clusters of what a frozen transformer sees in the samples of a class become domains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from recollect.datasets import open_prepared
from recollect.datasets.packed import PackedArrays
from recollect.engine.device import choose_device
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.errors import RecollectError
from recollect.files import write_json
from recollect.multimodal.registry import get_tower_spec, never_trained
from recollect.multimodal.towers import Tower
from recollect.multimodal.weights import load_tower
from recollect.scenarios.domains import cluster_domains
from recollect.scenarios.sealed import seal
from recollect.steps.places import Places
from recollect.steps.pretrain import locate

SCHEMA = 1
BATCH = 32


def make_domains(
    scenario: dict[str, Any], places: Places, *, device: str = "cpu", threads: int = 1, progress: bool = True
) -> dict[str, Any]:
    """Write the domain of every sample of a scenario of the protocol clustered-domains.

    Args:
        scenario: resolved.
        places: the results folder, with its data set and its transformer's weights.
        device, threads: where the transformer runs.
        progress: a bar on stderr, when that is a terminal.

    Raises:
        RecollectError: the samples do not have the modality, weights are missing, a class is too small.
    """
    use_deterministic_algorithms(threads)
    asked, (dataset,) = scenario["domains"], scenario["datasets"]
    data = open_prepared(places.data(dataset))
    name = asked["tower"]
    if not never_trained(get_tower_spec(name)):
        name = locate("", name, places)
    chosen = choose_device(device)
    if not isinstance(data.train_x, PackedArrays):
        raise RecollectError(f"{dataset} has images, domains are made of one of several modalities")
    modality = asked["modality"]
    tower = load_tower(name, modality, data.train_x.values[modality].shape[1:], chosen)
    features = [frozen_features(tower, x, modality, chosen, progress) for x in (data.train_x, data.test_x)]
    labels = np.asarray(data.train_y), np.asarray(data.test_y)
    train, test = cluster_domains(features[0], labels[0], features[1], labels[1], scenario["n_tasks"])
    body = {
        "schema": SCHEMA, "dataset": dataset, "data_sha256": data.info["content_sha256"],
        "n_domains": scenario["n_tasks"], **asked, "tower_sha256": tower.sha256,
        "train": train.tolist(), "test": test.tolist(),
    }  # fmt: skip
    record = seal(body)
    write_json(places.domains(scenario["id"]), record)
    return record


@torch.no_grad()
def frozen_features(
    tower: Tower, half: PackedArrays, modality: str, device: torch.device, progress: bool = True
) -> np.ndarray:
    """What a transformer makes of one modality of all samples, float64 (N, D); NaN where it is absent."""
    values = half.values[modality]
    names = [m.name for m in half.modalities]
    present = np.flatnonzero(np.asarray(half.present)[:, names.index(modality)])
    found = np.full((len(half), tower.dim), np.nan)
    blocks = [present[i : i + BATCH] for i in range(0, len(present), BATCH)]
    for rows in tqdm(blocks, desc=tower.name, unit=" batches", disable=None if progress else True):
        x = torch.from_numpy(np.array(values[rows])).to(device)
        tokens = tower.embed(x.float().div_(255) if x.dtype == torch.uint8 else x.float())
        for layer in range(tower.depth):
            tokens = tower.layer(layer, tokens)
        found[rows] = tower.pool(tokens).double().cpu().numpy()
    return found
