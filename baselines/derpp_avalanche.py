"""Avalanche's own DER (DER++ for beta > 0), for comparison with ``derpp``.

Class-balanced buffer, logits stored once after the task, one draw for both terms, joint forward pass.

Trained by Avalanche's loop with Avalanche's loaders and an unmasked loss; only the answers are masked. Its state
cannot be saved in the middle of a run, so a killed run starts again.
"""

from __future__ import annotations

from typing import Any

from avalanche.training.supervised import DER

from recollect.engine.settings import Setting


def build(
    *,
    setting: Setting,
    alpha: float = 0.1,
    beta: float = 0.5,
    buffer_size: int = 200,
    replay_batch_size: int = 32,
) -> Any:
    """Avalanche's DER as it comes."""
    return DER(
        mem_size=buffer_size,
        batch_size_mem=replay_batch_size,
        alpha=alpha,
        beta=beta,
        **setting.avalanche_arguments(),
    )
