"""Fixed-width heads: which output units may answer, for whom, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class OutputMask:
    """The seen-class mask of a head with a fixed number of outputs.

    ``mode`` is ``seen`` (class-incremental: classes of all tasks so far), ``task`` (task-incremental:
    the classes of the sample's own task) or ``all`` (domain-incremental: every class).

    The mask is an additive bias, 0 for an allowed unit and -inf for the others.
    """

    def __init__(self, n_classes: int, mode: str = "seen", device: torch.device | str = "cpu") -> None:
        if mode not in ("seen", "task", "all"):
            raise ValueError(f"mode {mode!r} must be seen, task or all")
        self.n_classes, self.mode, self.device = n_classes, mode, torch.device(device)
        self.seen: list[int] = []
        self._task_bias = torch.full((1, n_classes), -torch.inf, device=self.device)
        self._seen_bias: Tensor | None = self._task_bias[0].clone()

    def observe(self, classes: Iterable[int], task: int = 0) -> None:
        """Open the outputs of ``classes``, which arrive with task number ``task``. Idempotent."""
        classes = sorted({int(c) for c in classes})
        self.seen = sorted(set(self.seen) | set(classes))
        if task >= len(self._task_bias):
            missing = torch.full((task + 1 - len(self._task_bias), self.n_classes), -torch.inf, device=self.device)
            self._task_bias = torch.cat([self._task_bias, missing])
        self._task_bias[task, classes] = 0.0
        bias = torch.full((self.n_classes,), -torch.inf, device=self.device)
        bias[self.seen] = 0.0
        self._seen_bias = None if len(self.seen) == self.n_classes else bias

    def observe_experience(self, experience: Any) -> None:
        """Open the outputs of an experience's classes, for each task in it."""
        task = getattr(experience, "task_number", experience.current_experience)
        classes = getattr(experience, "classes_in_this_experience", None)
        classes = set(experience.dataset.targets) if classes is None else classes
        for number, own in getattr(experience, "classes_by_task", {task: classes}).items():
            self.observe(own, number)

    def apply(self, logits: Tensor, tasks: Tensor | None = None) -> Tensor:
        """Logits (B, n_classes) with the closed units at -inf; ``tasks`` (B,) is needed in mode ``task``."""
        if self.mode == "all":
            return logits
        if self.mode == "task":
            if tasks is None:
                raise ValueError("a task-incremental head needs the task label of every sample")
            return logits + self._task_bias[tasks]
        return logits if self._seen_bias is None else logits + self._seen_bias

    def allowed(self, task: int) -> list[int]:
        """The classes that may answer for samples of ``task``."""
        if self.mode == "all":
            return list(range(self.n_classes))
        if self.mode == "seen":
            return list(self.seen)
        known = task < len(self._task_bias)
        return torch.nonzero(self._task_bias[task] == 0).flatten().tolist() if known else []

    def first_task(self) -> Tensor:
        """For every class the first task that opened it, int64 (n_classes,); 0 for classes not seen yet."""
        return (self._task_bias == 0).int().argmax(dim=0)

    def state_dict(self) -> dict[str, Any]:
        """Seen classes and the mask of every task."""
        return {"seen": list(self.seen), "task_bias": self._task_bias.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned."""
        self.seen = []
        self.observe(state["seen"])
        self._task_bias = state["task_bias"].to(self.device, copy=True)
