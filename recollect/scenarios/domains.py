"""Domains without official lists: within every class, clusters of frozen features, matched over classes by size.

A decision of this project, for data sets that come with no domains of their own: what other work calls domains of
such a data set is another split, and numbers on it cannot be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recollect.scenarios.protocols import SplitError, TaskIndices, random_state
from recollect.scenarios.sealed import read_sealed, redo

RESTARTS = 10
REDRAWS = 100
ITERATIONS = 300


@dataclass(frozen=True)
class Domains:
    """The domain of every training and test sample.

    Attributes:
        train, test: int64 (N,), from 0.
        sha256: of the file that they were read from.
    """

    train: np.ndarray
    test: np.ndarray
    sha256: str


def by_domain(train: np.ndarray, test: np.ndarray, n_tasks: int) -> list[TaskIndices]:
    """Task d holds all samples of domain d, of every class."""
    return [TaskIndices(np.flatnonzero(train == d), np.flatnonzero(test == d)) for d in range(n_tasks)]


def cluster_domains(
    train: np.ndarray, train_y: np.ndarray, test: np.ndarray, test_y: np.ndarray, n_domains: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Domains of training and test samples, int64 (N,).

    Per class: k-means of unit vectors on the training samples; domain 0 is the class's largest cluster, domain 1
    the next, and so on. A test sample goes where the nearest centre of its class is.

    Args:
        train, test: features (N, D); a row with a NaN has none and counts to domain 0, so that no sample is lost.
        train_y, test_y: labels (N,).
        n_domains: clusters per class.
        seed: of the centres that k-means starts from; the best of ten starts counts.

    Raises:
        SplitError: a class has fewer different training samples than domains, or none at all.
    """
    found = np.zeros(len(train_y), dtype=np.int64), np.zeros(len(test_y), dtype=np.int64)
    have = np.isfinite(train).all(axis=1), np.isfinite(test).all(axis=1)
    for label in np.unique(np.concatenate([train_y, test_y])):
        rows, test_rows = (np.flatnonzero(h & (y == label)) for h, y in zip(have, (train_y, test_y), strict=True))
        points = _unit(train[rows])
        draws = random_state(seed, f"domains of class {label}")
        centres = _centres(points, n_domains, draws, f"class {label}")
        nearest = _nearest(points, centres)
        ranks = np.empty(n_domains, dtype=np.int64)
        ranks[np.argsort(-np.bincount(nearest, minlength=n_domains), kind="stable")] = np.arange(n_domains)
        found[0][rows] = ranks[nearest]
        if len(test_rows):
            found[1][test_rows] = ranks[_nearest(_unit(test[test_rows]), centres)]
    return found


def _unit(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared, (N, K)."""
    return ((points[:, None] - centres[None]) ** 2).sum(axis=2)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return _distances(points, centres).argmin(axis=1)


def _centres(points: np.ndarray, n: int, draws: np.random.RandomState, what: str) -> np.ndarray:
    """The best of ten runs of k-means that left no cluster empty."""
    from scipy.cluster.vq import ClusterError, kmeans2

    if len(np.unique(points, axis=0)) < n:
        raise SplitError(
            f"{what} has {len(points)} training samples with features, too few different ones for {n} domains: "
            "lower n_tasks"
        )
    best, least, made = None, np.inf, 0
    for _ in range(REDRAWS):
        try:
            centres, nearest = kmeans2(
                points, _starts(points, n, draws), ITERATIONS, minit="matrix", missing="raise"
            )
        except ClusterError:
            continue
        inertia = float(((points - centres[nearest]) ** 2).sum())
        if inertia < least:
            best, least = centres, inertia
        made += 1
        if made == RESTARTS:
            break
    if best is None:
        raise SplitError(f"{what} does not fall into {n} clusters: lower n_tasks")
    return best


def _starts(points: np.ndarray, n: int, draws: np.random.RandomState) -> np.ndarray:
    """Points drawn one after another, each with the squared distance to those before as its weight (k-means++)."""
    chosen = [int(draws.randint(len(points)))]
    while len(chosen) < n:
        weights = _distances(points, points[chosen]).min(axis=1)
        chosen.append(int(draws.choice(len(points), p=weights / weights.sum())))
    return points[chosen]


def read_domains(path: Path, data_sha256: str) -> Domains:
    """What the step of the same name has written.

    Raises:
        SplitError: it is missing, was changed, or belongs to other data.
    """
    record = read_sealed(path, "domains")
    if record["data_sha256"] != data_sha256:
        raise SplitError(f"{path} belongs to other data: {redo(path)}")
    train, test = (np.asarray(record[half], dtype=np.int64) for half in ("train", "test"))
    return Domains(train, test, record["sha256"])
