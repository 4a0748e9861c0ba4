"""Weights as named float32 tensors: read without unpickling anything else, hashed, written as safetensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from recollect.extractors.errors import ExtractorError
from recollect.files import write_bytes

Weights = dict[str, Tensor]
_COUNTER = "num_batches_tracked"


def read_weights(path: Path) -> Weights:
    """Read a published weights file: ``.safetensors``, ``.npz`` of arrays, or else a PyTorch checkpoint.

    Checkpoints are loaded with ``weights_only``; one with more than weights is expected to hold them under
    ``state_dict``, and the prefix of DataParallel is removed. Batch counters of batch norms, which evaluation does
    not use and some files lack, are left out.

    Raises:
        ExtractorError: the file cannot be read, is damaged, or holds anything but float32 tensors.
    """
    read = {".safetensors": _read_safetensors, ".npz": _read_arrays}.get(path.suffix, _read_checkpoint)
    try:
        content = read(path)
    except OSError as error:
        raise ExtractorError(f"{path} cannot be read ({error.strerror or error}): replace it") from error
    except Exception as error:  # a damaged or hostile archive can raise anything
        raise _not_tensors(path) from error
    weights = {name: value for name, value in content.items() if not str(name).endswith(_COUNTER)}
    plain = all(
        isinstance(name, str) and isinstance(v, Tensor) and v.dtype == torch.float32 for name, v in weights.items()
    )
    if not weights or not plain:
        raise _not_tensors(path)
    return {name: weights[name].contiguous() for name in sorted(weights)}


def _not_tensors(path: Path) -> ExtractorError:
    return ExtractorError(
        f"{path} is damaged or holds something else than named float32 tensors, it is not used: replace it by the "
        "published file"
    )


def _read_safetensors(path: Path) -> dict[str, Any]:
    return safetensors.torch.load(path.read_bytes())


def _read_arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in arrays.files}


def _read_checkpoint(path: Path) -> dict[str, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    content = content.get("state_dict", content)
    return {name.removeprefix("module."): value for name, value in content.items()}


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of the tensors, whatever file they came from.

    For each, in the order of names: one line ``name dtype shape``, then its values as little-endian bytes.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = weights[name].detach().cpu().contiguous().numpy().astype("<f4", copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write safetensors, atomically; equal weights give equal bytes."""
    ordered = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    write_bytes(path, safetensors.torch.save(ordered))
