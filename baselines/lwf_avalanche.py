"""Avalanche's own LwF, for comparison with ``lwf``.

No T^2 factor; ``alpha`` may be a list with one value per task.

Trained by Avalanche's loop with Avalanche's loaders and an unmasked loss; only the answers are masked. Its state
cannot be saved in the middle of a run, so a killed run starts again.
"""

from __future__ import annotations

from typing import Any

from avalanche.training.supervised import LwF
from torch.nn import CrossEntropyLoss

from recollect.engine.settings import Setting


def build(
    *,
    setting: Setting,
    alpha: float | list[float] = 1.0,
    temperature: float = 2.0,
) -> Any:
    """Avalanche's LwF as it comes."""
    return LwF(alpha=alpha, temperature=temperature, criterion=CrossEntropyLoss(), **setting.avalanche_arguments())
