"""Cumulative training: at task t, go on with the current weights on the union of tasks 1..t.

The upper curve. ``iterations`` in the settings counts the updates per task, whatever the union's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.engine.union import union


class Cumulative(Strategy):
    """Trains on everything seen so far."""

    def curriculum(self, stream: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """(t, union of experiences 0..t) for every t."""
        seen: list[Any] = []
        for task, experience in enumerate(stream):
            seen.append(experience)
            yield task, union(seen)


def build(*, setting: Setting) -> Strategy:
    """Cumulative training with the engine's loop."""
    return Cumulative(**setting.arguments())
