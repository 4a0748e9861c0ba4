"""The device a run uses."""

from __future__ import annotations

import torch

from recollect.errors import RecollectError


def choose_device(wanted: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU; anything else is taken at its word.

    Raises:
        RecollectError: CUDA is asked for and absent, or the name is no device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise RecollectError(f"device {wanted!r} is no device: use auto, cpu, cuda or cuda:<number>") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RecollectError(
            f"device {wanted!r} is asked for but no CUDA device is present: set device to auto or cpu"
        )
    return device
