"""Progress of a run: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from recollect.engine.phases import Phase

LINE_EVERY_S = 10.0


class Progress:
    """Which task, epoch and iteration, how fast, and how long the task still takes.

    Args:
        label: what is running, e.g. ``split_digits/ewc seed 3``.
        n_tasks: tasks in all.
    """

    def __init__(self, label: str, n_tasks: int) -> None:
        self.label, self.n_tasks = label, n_tasks
        self._terminal = sys.stderr.isatty()
        self._line_at = time.monotonic()
        self._stage: tuple[int, str] = (-1, "")
        self._stage_at, self._steps = 0.0, 0

    def epoch(self, task: int, strategy: Any) -> None:
        """A new epoch begins."""
        stage = (task, self._phase(strategy).name)
        if stage != self._stage:
            self._stage, self._stage_at, self._steps = stage, time.monotonic(), 0

    def step(self, task: int, strategy: Any, loss: float, steps: int) -> None:
        """``steps`` more iterations are done; shows a line if the last one is old enough."""
        self._steps += steps
        now = time.monotonic()
        if now - self._line_at < (0.2 if self._terminal else LINE_EVERY_S):
            return
        self._line_at = now
        rate = self._steps / max(now - self._stage_at, 1e-9)
        phase, left = self._phase(strategy), self._left(strategy)
        epoch = min(self._epoch(strategy) + 1, phase.epochs)  # after the last step of an epoch the next one counts
        name = "" if phase.name == "train" else f"{phase.name}, "
        eta = "unknown" if left is None else f"{max(left, 0) / max(rate, 1e-9):.0f} s"
        self.say(
            f"{self.label}: task {task + 1}/{self.n_tasks}, {name}"
            f"epoch {epoch}/{phase.epochs}, {rate:.0f} it/s, ETA {eta}, loss {loss:.4g}",
            transient=True,
        )

    @staticmethod
    def _phase(strategy: Any) -> Any:
        """The phase of our strategies; stock ones have epochs only."""
        return getattr(strategy, "phase", None) or Phase("train", strategy.train_epochs)

    def _left(self, strategy: Any) -> int | None:
        """Iterations to the end of the phase."""
        wanted, clock = getattr(strategy, "train_iterations", None), strategy.clock
        if wanted:
            return int(wanted) - clock.train_exp_iterations
        epochs = self._phase(strategy).epochs - self._epoch(strategy)
        try:
            return len(strategy.dataloader) * epochs - clock.train_epoch_iterations
        except TypeError:
            return None

    @staticmethod
    def _epoch(strategy: Any) -> int:
        return getattr(strategy, "epoch", strategy.clock.train_exp_epochs)

    def say(self, text: str, transient: bool = False) -> None:
        """Write a line to stderr; a transient one is overwritten by the next on a terminal."""
        if self._terminal:
            sys.stderr.write(f"\r\033[K{text}" + ("" if transient else "\n"))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
