"""Joint training: one run on the union of all tasks, the upper bound.

It has no matrix, only a last row. With ``iterations`` set it makes as many updates as a sequence of all
tasks would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.engine.union import union


class Joint(Strategy):
    """Trains once, on everything."""

    def curriculum(self, stream: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """The union of all experiences, under the number of the last task."""
        experiences = list(stream)
        yield len(experiences) - 1, union(experiences)


def build(*, setting: Setting) -> Strategy:
    """Joint training with the engine's loop."""
    strategy = Joint(**setting.arguments())
    if strategy.train_iterations is not None:
        strategy.train_iterations *= setting.n_tasks
    return strategy
