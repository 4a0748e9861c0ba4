"""Learning without Forgetting (Li and Hoiem 2016), single fixed-width head.

    L = CE(x, y) + alpha * T^2 * KL(softmax(teacher(x) / T) || softmax(student(x) / T))

on the current images only; the teacher is a copy of the model from before the task, in evaluation mode,
and the distillation runs over the outputs that were open when the teacher was made.

``temperature_squared`` keeps the gradient's scale independent of T (Hinton et al. 2015); Avalanche and the
authors' comparison code leave it out, so it is an option. ``weighting`` = ``share`` weights the two terms by
1/t and 1 - 1/t as in van de Ven et al. 2022. With ``buffer_size`` every step also replays stored samples
(``er.py``), a combination that no paper has; the distillation stays on the current ones.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recollect.engine.distillation import distillation
from recollect.engine.replay import ExperienceReplay, reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


class LwF(ExperienceReplay):
    """Distils the previous model's answers on the new task's images; a buffer of no capacity replays nothing."""

    def __init__(
        self, *, alpha: float, temperature: float, temperature_squared: bool, weighting: str, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.alpha, self.temperature, self.weighting = alpha, temperature, weighting
        self.scale = temperature**2 if temperature_squared else 1.0
        self.teacher: nn.Module | None = None
        self.teacher_classes: Tensor | None = None
        self.tasks_learned = 0

    def training_loss(self) -> Tensor:
        """Cross-entropy plus distillation from the second task on."""
        loss = super().training_loss()
        if self.teacher is None:
            return loss
        with torch.no_grad():
            target = self.teacher(self.mb_x)[:, self.teacher_classes]
        student = self.mb_output[: len(target), self.teacher_classes]
        old = self.scale * distillation(student, target, self.temperature)
        if self.weighting == "share":
            share = 1 / (self.tasks_learned + 1)
            return share * loss + (1 - share) * self.alpha * old
        return loss + self.alpha * old

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self._adopt_teacher(self.model.state_dict(), list(self.outputs.seen), self.tasks_learned + 1)

    def _adopt_teacher(self, weights: dict[str, Tensor], classes: list[int], tasks: int) -> None:
        self.teacher = deepcopy(self.model).eval().requires_grad_(False)
        self.teacher.load_state_dict(weights)
        self.teacher_classes = torch.tensor(classes, device=self.device)
        self.tasks_learned = tasks

    def extra_state(self) -> dict[str, Any]:
        """The buffer and the teacher."""
        state = super().extra_state()
        if self.teacher is None or self.teacher_classes is None:
            return state
        return {
            **state,
            "teacher": self.teacher.state_dict(),
            "classes": self.teacher_classes.tolist(),
            "tasks": self.tasks_learned,
        }

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back both."""
        super().load_extra_state(state)
        if "teacher" in state:
            self._adopt_teacher(state["teacher"], state["classes"], state["tasks"])


def build(
    *,
    setting: Setting,
    alpha: float = 1.0,
    temperature: float = 2.0,
    temperature_squared: bool = False,
    weighting: Literal["sum", "share"] = "sum",
    buffer_size: int = 0,
    replay_batch_size: int = 32,
) -> Strategy:
    """LwF on the engine's strategy; with a buffer, on experience replay."""
    return LwF(
        alpha=alpha, temperature=temperature, temperature_squared=temperature_squared, weighting=weighting,
        buffer=reservoir(setting, buffer_size), replay_batch_size=replay_batch_size, **setting.arguments(),
    )  # fmt: skip
