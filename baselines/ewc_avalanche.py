"""Avalanche's own EWC, for comparison with ``ewc``.

It squares the batch-mean gradient and leaves out the factor 1/2, so its ``lam`` is on another scale.

Trained by Avalanche's loop with Avalanche's loaders and an unmasked loss; only the answers are masked. Its state
cannot be saved in the middle of a run, so a killed run starts again.
"""

from __future__ import annotations

from typing import Any, Literal

from avalanche.training.supervised import EWC
from torch.nn import CrossEntropyLoss

from recollect.engine.settings import Setting


def build(
    *,
    setting: Setting,
    lam: float,
    mode: Literal["separate", "online"] = "separate",
    decay_factor: float | None = None,
) -> Any:
    """Avalanche's EWC as it comes."""
    return EWC(
        ewc_lambda=lam,
        mode=mode,
        decay_factor=decay_factor,
        criterion=CrossEntropyLoss(),
        **setting.avalanche_arguments(),
    )
