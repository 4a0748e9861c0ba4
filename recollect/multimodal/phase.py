"""Training with AdamW and a cosine schedule that starts anew with every task."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from recollect.engine.phases import Phase
from recollect.pretrained.pretraining import AdamW


@dataclass(frozen=True)
class AdamWPhase(Phase):
    """A phase with AdamW; the learning rate falls from ``lr`` to ``lr_min``, set once per epoch."""

    lr_min: float = 0.0

    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh AdamW."""
        assert self.parameters is not None
        return AdamW(list(self.parameters()), self.lr, self.weight_decay)

    def lr_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        return self.lr_min + (self.lr - self.lr_min) * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
