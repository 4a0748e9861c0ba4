"""A strategy that adapts the backbone to the first task and never again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recollect.engine.phases import Phase
from recollect.pretrained.strategy import PretrainedStrategy


class FirstSessionStrategy(PretrainedStrategy):
    """Adaptation and a linear head are trained on task 0; later tasks only see features.

    Without an adaptation nothing is trained at all.
    """

    def phases(self) -> Sequence[Phase]:
        """Training for the first task only."""
        phases = list(super().phases())
        return phases if self.done == 0 and self.model.adaptation is not None else phases[1:]

    def begin_task(self) -> None:
        """The head of the first task, which its training needs; afterwards nothing answers through it."""
        if self.done == 0 and self.model.adaptation is not None:
            super().begin_task()

    def represent(self, x: Tensor) -> Tensor:
        """Features (B, d) of images: those of the adapted backbone."""
        return self.features_of(x, self.model.adaptation)

    @torch.no_grad()
    def represent_task(self) -> Tensor:
        """:meth:`represent` of the current task's images."""
        self.compute_tokens()
        return self.task_features(self.model.adaptation)

    def answering_state(self) -> dict[str, Any]:
        """All that the method carries."""
        return self.extra_state()

    def load_answering_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`answering_state` returned."""
        self.load_extra_state(state)
