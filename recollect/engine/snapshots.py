"""Snapshots of generators: after every task the tensors that sampling needs, and their hashes in the record."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from recollect.errors import RecollectError
from recollect.files import sha256_file, write_bytes

FOLDER = "snapshots"


def snapshot_path(folder: Path, task: int) -> Path:
    """Of the snapshot after ``task`` in a run's folder."""
    return folder / FOLDER / f"task{task}.safetensors"


def save_snapshot(folder: Path, task: int, tensors: Mapping[str, Tensor]) -> None:
    """Write a snapshot atomically; nothing is written where there are no tensors."""
    if not tensors:
        return
    from safetensors.torch import save

    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    write_bytes(snapshot_path(folder, task), content)


def forget_snapshots(folder: Path) -> None:
    """A run starts from its beginning: what another one left is gone."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def snapshot_hashes(folder: Path, n_tasks: int) -> dict[str, str]:
    """Task number (as text) to SHA-256 of its snapshot, for those that are there."""
    paths = {str(task): snapshot_path(folder, task) for task in range(n_tasks)}
    return {task: sha256_file(path) for task, path in paths.items() if path.is_file()}


def snapshot_tasks(hashes: Mapping[str, str]) -> set[int]:
    """The tasks of :func:`snapshot_hashes`."""
    return {int(task) for task in hashes}


def load_snapshot(folder: Path, task: int, hashes: Mapping[str, str], redo: str) -> dict[str, Tensor]:
    """The tensors of a snapshot.

    Raises:
        RecollectError: it is missing, or not the one of ``hashes``.
    """
    from safetensors.torch import load

    path = snapshot_path(folder, task)
    if not path.is_file() or sha256_file(path) != hashes[str(task)]:
        raise RecollectError(f"{path} is missing or not the one of this run: {redo}")
    return load(path.read_bytes())
