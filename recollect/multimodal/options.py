"""Weights and temperatures of the losses; all of them project decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LossOptions:
    """How the terms beside cross-entropy are weighted.

    Attributes:
        align: with the ``joint`` representation, ``standard`` contrastive between modalities, or ``none``.
        align_weight, align_temperature: of it.
        preserve_weight, preserve_temperature: of the preservation of relations; weight 0 leaves it out.
        distill_weight, distill_temperature: of logits; the weight is multiplied by sqrt(t) where ``grows``.
        count_from: number of the first task in sqrt(t).
    """

    align: Literal["joint", "standard", "none"] = "joint"
    align_weight: float = 1.0
    align_temperature: float = 0.07
    preserve_weight: float = 1.0
    preserve_temperature: float = 0.1
    distill_weight: float = 1.0
    distill_temperature: float = 2.0
    grows: bool = True
    count_from: Literal[0, 1] = 1

    def distillation_weight(self, task: int) -> float:
        """Of the task with number ``task``, counted from 0."""
        return self.distill_weight * ((task + self.count_from) ** 0.5 if self.grows else 1.0)

    @property
    def needs_teacher(self) -> bool:
        """Whether any term looks at the model before the task."""
        return self.preserve_weight > 0 or self.distill_weight > 0
