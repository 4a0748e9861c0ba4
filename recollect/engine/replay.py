"""Training on the current batch together with samples of a buffer, as experience replay and its kin do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recollect.engine.reservoir import Reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


class ExperienceReplay(Strategy):
    """Cross-entropy over current and stored samples."""

    def __init__(self, *, buffer: Reservoir, replay_batch_size: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.buffer, self.replay_batch_size = buffer, replay_batch_size

    def forward(self) -> Tensor:
        """Logits of the current batch followed by those of the replayed one."""
        if not self.is_training:
            return super().forward()
        self.targets, self.target_tasks, x = self.mb_y, self.mb_tasks, self.mb_x
        if len(self.buffer):
            old_x, old_y, old_task, _ = self.buffer.draw(self.replay_batch_size)
            x = torch.cat([x, old_x])
            self.targets = torch.cat([self.targets, old_y])
            self.target_tasks = None if self.mb_tasks is None else torch.cat([self.mb_tasks, old_task])
        return self.model(x)

    def training_loss(self) -> Tensor:
        """Mean cross-entropy of the joined batch; the current samples are then offered to the buffer."""
        self.buffer.add(self.mb_x, self.mb_y, self.mb_tasks)
        return self.classification_loss(self.mb_output, self.targets, self.target_tasks)

    def extra_state(self) -> dict[str, Any]:
        """The buffer."""
        return {"buffer": self.buffer.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back the buffer."""
        self.buffer.load_state_dict(state["buffer"])


def reservoir(setting: Setting, capacity: int) -> Reservoir:
    """A buffer for the samples of a setting."""
    return Reservoir(
        capacity=capacity, input_shape=setting.input_shape, seed=setting.seed, device=setting.device,
        dtype=setting.kept_dtype,
    )  # fmt: skip
