"""Progress of a run: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

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
        self._task_at, self._task_start, self._task = 0.0, 0, -1

    def epoch(self, task: int, strategy: Any) -> None:
        """A new epoch begins."""
        if task != self._task:
            self._task, self._task_at = task, time.monotonic()
            self._task_start = strategy.clock.train_exp_iterations

    def step(self, task: int, strategy: Any, loss: float) -> None:
        """Some iterations are done; shows a line if the last one is old enough."""
        now = time.monotonic()
        if now - self._line_at < (0.2 if self._terminal else LINE_EVERY_S):
            return
        self._line_at = now
        done = strategy.clock.train_exp_iterations
        rate = max(done - self._task_start, 1) / max(now - self._task_at, 1e-9)
        total = self._iterations(strategy)
        left = f"ETA {max(total - done, 0) / rate:.0f} s" if total else "ETA unknown"
        self.say(
            f"{self.label}: task {task + 1}/{self.n_tasks}, iteration {done}/{total or '?'}, "
            f"{rate:.0f} it/s, {left}, loss {loss:.4g}",
            transient=True,
        )

    @staticmethod
    def _iterations(strategy: Any) -> int:
        if getattr(strategy, "train_iterations", None):
            return int(strategy.train_iterations)
        try:
            return len(strategy.dataloader) * strategy.train_epochs
        except TypeError:
            return 0

    def say(self, text: str, transient: bool = False) -> None:
        """Write a line to stderr; a transient one is overwritten by the next on a terminal."""
        if self._terminal:
            sys.stderr.write(f"\r\033[K{text}" + ("" if transient else "\n"))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
