"""Avalanche's own Naive strategy on its own data pipeline, for comparison with ``naive``.

Trained by Avalanche's loop with Avalanche's loaders and an unmasked loss; only the answers are masked. Its state
cannot be saved in the middle of a run, so a killed run starts again.
"""

from __future__ import annotations

from typing import Any

from avalanche.training.supervised import Naive

from recollect.engine.settings import Setting


def build(*, setting: Setting) -> Any:
    """Avalanche's Naive as it comes."""
    return Naive(**setting.avalanche_arguments())
