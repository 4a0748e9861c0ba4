"""Where and how extractors compute: repeatable sums, on a device that is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Inside, the same numbers come out on every call: a fixed thread count and deterministic convolutions."""
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.deterministic = before[1]


def device_called(name: str) -> torch.device:
    """The device ``cpu``, ``cuda``, ``cuda:<number>`` or ``auto``; raises RecollectError where it is not there."""
    if name == "cpu":
        return torch.device("cpu")
    # Not on top: with the engine comes Avalanche, ten seconds of imports that nothing here uses.
    from recollect.engine.device import choose_device

    return choose_device(name)
