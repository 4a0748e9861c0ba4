"""What Adapt & Align's generators share: a global model, its frozen copy, and what it is conditioned on."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from recollect.engine.images import ready_images
from recollect.engine.strategy import Strategy
from recollect.generation.snapshots import frozen


class ContinualGenerator(Strategy):
    """A local model that learns each task, and a global one that learns to generate all of them.

    Attributes:
        condition: what the generator is told beside its latents, the number of the task or the class. Its values
            are called ids.
        learned: ids learned in earlier tasks.
        tasks_learned: how many tasks are learned.
        world: the global generator, the continual model; None before the first task ends.
        old: the global generator as it was before the current task, frozen; None outside the global phases.
    """

    classifies = False

    def __init__(self, *, condition: str = "task", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.condition = condition
        self.learned: list[int] = []
        self.tasks_learned = 0
        self.world: Any = None
        self.old: Any = None

    def local_generator(self) -> nn.Module:
        """The part of the local model that has the global one's form."""
        raise NotImplementedError

    @property
    def task(self) -> int:
        """Number of the current task."""
        return self.tasks_learned

    def images(self) -> Any:
        """Those of the current task."""
        return ready_images(self.adapted_dataset, self.device)

    def ids(self, labels: Tensor) -> Tensor:
        """Ids of images of the current task, given their labels (N,)."""
        return labels if self.condition == "class" else torch.full_like(labels, self.task)

    def seen_ids(self) -> list[int]:
        """Ids learned so far, those of the current task included."""
        return sorted({*self.learned, *self.ids(self.images().labels).unique().tolist()})

    def adopt_first_generator(self) -> None:
        """The first local generator is the first global one."""
        if self.world is None:
            self.world = deepcopy(self.local_generator())

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self.adopt_first_generator()
        self.old, self.learned = None, self.seen_ids()
        self.tasks_learned += 1

    def extra_state(self) -> dict[str, Any]:
        """The global generator; inside a global phase the frozen one too."""
        nets = {name: net.state_dict() for name in ("world", "old") if (net := getattr(self, name)) is not None}
        return {"learned": self.learned, "tasks_learned": self.tasks_learned, **nets}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        self.learned, self.tasks_learned = list(state["learned"]), state["tasks_learned"]
        for name in ("world", "old"):
            if name not in state:
                setattr(self, name, None)
                continue
            if getattr(self, name) is None:  # else the optimizer knows its parameters
                setattr(self, name, deepcopy(self.local_generator()))
            getattr(self, name).load_state_dict(state[name])
        if self.old is not None:
            self.old = frozen(self.old)
