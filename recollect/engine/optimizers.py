"""torch's Adam and SGD, fused, without what loads torch's compiler at the first step.

The step is torch's own. Only the wrapper around it is ours, because torch's imports the compiler, several seconds
in every process, to tell it where to break a graph; nothing here compiles an optimizer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


def _plain_step(kind: type[torch.optim.Optimizer]) -> Callable[..., Any]:
    """The step of a torch optimizer, without gradients."""
    inner = inspect.unwrap(kind.step)

    def step(self: torch.optim.Optimizer, closure: Callable[[], Any] | None = None) -> Any:
        with torch.no_grad():
            return inner(self, closure)

    return step


class Adam(torch.optim.Adam):
    """Fused, which halves its cost on CPUs too."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 0.001, **arguments: Any) -> None:
        super().__init__(params, lr, **{"fused": True, **arguments})

    step = _plain_step(torch.optim.Adam)


class SGD(torch.optim.SGD):
    """Fused, which halves its cost on CPUs too."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 0.001, **arguments: Any) -> None:
        super().__init__(params, lr, **{"fused": True, **arguments})

    step = _plain_step(torch.optim.SGD)
