"""Seeds and random states: every source that a run can draw from."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

RngState = dict[str, Any]


def use_deterministic_algorithms(threads: int) -> None:
    """Make the arithmetic repeatable: fixed thread count, deterministic kernels, no autotuning."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    # The same as use_deterministic_algorithms(True), which would load the compiler: seconds in every process.
    torch.set_deterministic_debug_mode("error")
    # Writing NaN into every fresh tensor finds bugs and costs time; it makes nothing more repeatable.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    # Sparse gradients and activations run into denormals, which are up to 100 times slower on CPUs.
    torch.set_flush_denormal(True)


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's legacy and torch's global generators (Avalanche's own code uses all three)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code draws from it
    torch.manual_seed(seed)


def rng_state() -> RngState:
    """All global random states as tensors and plain values, so that ``weights_only`` can load them."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_rng_state(state: RngState) -> None:
    """Put back what :func:`rng_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Whatever is drawn inside, the generators continue afterwards as if nothing had happened."""
    state = rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
