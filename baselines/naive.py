"""Naive sequential fine-tuning: one task after another, no protection. The lower bound."""

from __future__ import annotations

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


def build(*, setting: Setting) -> Strategy:
    """The engine's strategy as it is."""
    return Strategy(**setting.arguments())
