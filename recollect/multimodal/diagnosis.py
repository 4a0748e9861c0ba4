"""What is looked at after every task and changes nothing: routing, and how far modalities keep apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recollect.multimodal.encoder import Representation
from recollect.multimodal.gate import agreement
from recollect.multimodal.model import MMModel

BLOCK, BLOCK_NUMBERS = 250, 1 << 24
"""Samples that go through a model at once: so many, or fewer large ones."""
POINTS = 120
"""Samples whose representations are drawn."""


def in_blocks(model: MMModel, images: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """(positions, rows) of all samples of a task, as many at once as go through a model."""
    block = max(1, min(BLOCK, BLOCK_NUMBERS // model.layout.size))
    for index in torch.arange(len(images), device=images.device).split(block):
        yield index, images.gather(index)


def represent_all(model: MMModel, images: Any) -> Representation:
    """Representations of all samples of a task, (n, d) each."""
    return joined([model.represent(rows) for _, rows in in_blocks(model, images)])


def joined(parts: Sequence[Representation]) -> Representation:
    """Representations of several batches as of one; models that gate alike."""
    return Representation(
        {name: torch.cat([p.unimodal[name] for p in parts]) for name in parts[0].unimodal},
        torch.cat([p.joint for p in parts]),
        [torch.cat(gates) for gates in zip(*(p.gates for p in parts), strict=True)],
        {name: torch.cat([p.present[name] for p in parts]) for name in parts[0].present},
    )


def silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw 1987), Euclidean, of points (n, d); clusters need two points each."""
    squares = np.square(points).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0.0))
    names, sizes = np.unique(labels, return_counts=True)
    sums = np.stack([distance[:, labels == name].sum(axis=1) for name in names], axis=1)
    own = labels[:, None] == names[None]
    inner = sums[own] / (sizes[own.argmax(axis=1)] - 1)
    outer = np.where(own, np.inf, sums / sizes).min(axis=1)
    return float(np.mean((outer - inner) / np.maximum(np.maximum(inner, outer), 1e-12)))


def modality_clusters(parts: Sequence[Representation]) -> tuple[np.ndarray, np.ndarray]:
    """(unit vectors z_m of all samples and modalities, the number of each one's modality)."""
    points, labels = [], []
    for number, name in enumerate(parts[0].unimodal):
        for part in parts:
            z = torch.nn.functional.normalize(part.unimodal[name][part.present[name]], dim=1)
            points.append(z.double().cpu().numpy())
            labels.append(np.full(len(z), number))
    return np.concatenate(points), np.concatenate(labels)


def plane(points: np.ndarray) -> np.ndarray:
    """Principal components 1 and 2, (n, 2); the sign makes the largest loading positive."""
    centred = points - points.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = (
        directions[:2] * np.sign(directions[:2][np.arange(2), np.abs(directions[:2]).argmax(axis=1)])[:, None]
    )
    return centred @ directions.T


def _drawn(parts: Sequence[Representation]) -> dict[str, list[list[float]]]:
    """Where some samples' z_m and z_J lie in their common principal plane, by space."""
    spaces: Mapping[str, Tensor] = {
        **{name: torch.cat([p.unimodal[name][p.present[name]] for p in parts]) for name in parts[0].unimodal},
        "joint": torch.cat([p.joint for p in parts]),
    }
    some = {name: z[:: max(1, len(z) // POINTS)][:POINTS] for name, z in spaces.items() if len(z)}
    unit = [torch.nn.functional.normalize(z, dim=1).double().cpu().numpy() for z in some.values()]
    places = np.split(plane(np.concatenate(unit)), np.cumsum([len(z) for z in unit])[:-1])
    return {name: np.round(place, 4).tolist() for name, place in zip(some, places, strict=True)}


def diagnose(model: MMModel, teacher: MMModel | None, streams: Sequence[Any], *, last: bool) -> dict[str, Any]:
    """Plain values about a model after a task.

    Args:
        model: as it answers now.
        teacher: as it answered before the task; None after the first one.
        streams: samples of all tasks seen so far, one entry per task.
        last: whether it was the last task, after which points are kept for a picture.

    Returns:
        ``silhouette`` of the modalities' clusters, ``routing_agreement`` by block with the model before the task
        on samples of earlier tasks, and ``points``.
    """
    parts = [represent_all(model, images) for images in streams]
    points, labels = modality_clusters(parts)
    found: dict[str, Any] = {}
    if (np.bincount(labels) > 1).sum() > 1:
        found["silhouette"] = silhouette(points, labels)
    if teacher is not None and parts[0].gates:
        before = [represent_all(teacher, images) for images in streams[:-1]]
        shares = [agreement(now.gates, old.gates) for now, old in zip(parts[:-1], before, strict=True)]
        found["routing_agreement"] = np.mean(shares, axis=0).tolist()
    if last:
        found["points"] = _drawn(parts)
    return found
