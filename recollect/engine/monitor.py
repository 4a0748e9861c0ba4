"""What watches a run from inside its loop: divergence, saved state, progress. It never touches training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from avalanche.core import SupervisedPlugin
from torch import Tensor

from recollect.engine.notice import Notice
from recollect.engine.progress import Progress
from recollect.errors import RecollectError

CHECK_EVERY = 50
LEAST_S = 5.0
"""Between saves at the end of epochs: to repeat short epochs is cheaper than to write all the time."""
SHARE = 0.01
"""Of the time since the last save that saving at the end of an epoch may take."""


class Diverged(RecollectError):  # noqa: N818 - a state of a run
    """The loss became NaN or infinite."""

    def __init__(self, task: int, step: int) -> None:
        super().__init__(f"diverged: the loss is not finite at task {task}, step {step}: lower the learning rate")
        self.task, self.step = task, step


class Monitor(SupervisedPlugin):
    """Collects losses without waiting for the device; looks at them every 50 steps.

    Args:
        progress: told about steps.
        save: called with nothing after the losses were found finite: at the end of an epoch if that costs no more
            than :data:`SHARE` of the time since the last save, within an epoch every ``save_every_s`` seconds.
        save_every_s: seconds between saves, at most and within an epoch also at least.
        notice: asked after every step whether to save and stop.
    """

    def __init__(
        self, progress: Progress, save: Callable[[], None], save_every_s: float, notice: Notice | None = None
    ) -> None:
        super().__init__()
        self.notice = Notice() if notice is None else notice
        self.progress, self.save, self.save_every_s = progress, save, save_every_s
        self.task = 0
        self.steps = 0
        self.task_steps = 0
        self._losses: list[Tensor] = []
        self._saved_at, self._save_s = time.monotonic(), 0.0

    def start_task(self, task: int) -> None:
        """Note which task is trained; the clock of the saves starts again."""
        self.task, self.task_steps = task, 0
        self._saved_at = time.monotonic()

    def before_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        """Tell the progress display what is coming."""
        self.progress.epoch(self.task, strategy)

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        """Keep the loss; every 50 steps look whether training is sane and whether it is time to save."""
        self._losses.append(strategy.loss.detach())
        self.task_steps += 1
        if self.notice.reason or len(self._losses) >= CHECK_EVERY:
            self.check(strategy)

    def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        """Look at the rest of the epoch's losses."""
        self.check(strategy, wait_s=max(LEAST_S, self._save_s / SHARE))

    def check(self, strategy: Any, wait_s: float = math.inf) -> None:
        """Raise :class:`Diverged` at the first loss that is not finite; save state when it is time."""
        if self._losses:
            self._look(strategy)
        start = time.monotonic()
        if self.notice.reason or start - self._saved_at >= min(wait_s, self.save_every_s):
            self.save()
            self._saved_at = time.monotonic()
            self._save_s = self._saved_at - start
        self.notice.check(f"at task {self.task + 1}, step {self.task_steps}")

    def _look(self, strategy: Any) -> None:
        losses = torch.stack([loss.reshape(()) for loss in self._losses])
        self._losses = []
        finite = torch.isfinite(losses).tolist()
        if not all(finite):
            raise Diverged(self.task, self.task_steps - len(finite) + finite.index(False) + 1)
        self.steps += len(finite)
        self.progress.step(self.task, strategy, float(losses[-1]), len(finite))

    def state_dict(self) -> dict[str, Any]:
        """The step counts, for the record of a resumed run."""
        return {"steps": self.steps, "task_steps": self.task_steps}

    def load_state_dict(self, state: dict[str, Any], strategy: Any) -> None:
        """Put back the step counts."""
        self.steps, self.task_steps = state["steps"], state["task_steps"]
