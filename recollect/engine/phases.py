"""Phases: the stages in which a method trains on one experience, each with its own optimizer and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from recollect.engine.optimizers import Adam


@dataclass(frozen=True)
class Phase:
    """One stage. The engine runs its epochs, saves its state and resumes inside it.

    Attributes:
        name: what ``strategy.phase.name`` says during it; its seconds are recorded under this name.
        epochs: passes over its batches.
        parameters: what its Adam optimizer updates; None keeps the strategy's own optimizer.
        lr, betas, weight_decay: of Adam, made fresh when the phase starts.
        lr_decay: the learning rate is multiplied by it after every epoch (ExponentialLR).
        clip_value: gradients are cut to [-clip_value, clip_value] before an update; None leaves them.
        batches: makes the loader of the phase when it starts; None takes ready batches of the experience.
            A loader that is to resume has ``state_dict()`` and ``load_state_dict(state)``.
    """

    name: str
    epochs: int
    parameters: Callable[[], Iterable[nn.Parameter]] | None = None
    lr: float = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    lr_decay: float = 1.0
    clip_value: float | None = None
    batches: Callable[[], Any] | None = None

    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh Adam."""
        assert self.parameters is not None
        return Adam(list(self.parameters()), lr=self.lr, betas=self.betas, weight_decay=self.weight_decay)


def decay(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiply every learning rate of an optimizer; they are saved with its state."""
    for group in optimizer.param_groups:
        group["lr"] *= factor
