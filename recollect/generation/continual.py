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
        task_ids: ids of every task learned.
        tasks_learned: how many tasks are learned.
        world: the global generator, the continual model; None before the first task ends.
        old: the global generator as it was before the current task, frozen; None outside the global phases.
    """

    classifies = False

    def __init__(self, *, condition: str = "task", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.condition = condition
        self.learned: list[int] = []
        self.task_ids: list[list[int]] = []
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

    def drawn_ids(self, n: int, task: int, generator: torch.Generator) -> Tensor:
        """Ids (n,) of samples of a task: its number, or its classes drawn uniformly."""
        if self.condition == "task":
            return torch.full((n,), task, device=self.device)
        own = torch.tensor(self.task_ids[task])
        return own[torch.randint(len(own), (n,), generator=generator)].to(self.device)

    def packed_ids(self) -> dict[str, Tensor]:
        """``task_ids`` for a snapshot, (tasks, ids) of 0 and 1; nothing where tasks are their own ids."""
        if self.condition == "task":
            return {}
        marks = torch.zeros(len(self.task_ids), 1 + max(self.learned), dtype=torch.uint8)
        for task, ids in enumerate(self.task_ids):
            marks[task, ids] = 1
        return {"task_ids": marks}

    def unpack_ids(self, tensors: dict[str, Tensor]) -> None:
        """Put back what :meth:`packed_ids` returned."""
        self.task_ids = [torch.nonzero(row).flatten().tolist() for row in tensors.get("task_ids", [])]

    def adopt_first_generator(self) -> None:
        """The first local generator is the first global one."""
        if self.world is None:
            self.world = deepcopy(self.local_generator())

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self.adopt_first_generator()
        self.task_ids.append(self.ids(self.images().labels).unique().tolist())
        self.old, self.learned = None, self.seen_ids()
        self.tasks_learned += 1

    def extra_state(self) -> dict[str, Any]:
        """The global generator; inside a global phase the frozen one too."""
        nets = {name: net.state_dict() for name in ("world", "old") if (net := getattr(self, name)) is not None}
        plain = {"learned": self.learned, "task_ids": self.task_ids, "tasks_learned": self.tasks_learned}
        return {**plain, **nets}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        self.learned, self.tasks_learned = list(state["learned"]), state["tasks_learned"]
        self.task_ids = [list(ids) for ids in state["task_ids"]]
        for name in ("world", "old"):
            if name not in state:
                setattr(self, name, None)
                continue
            if getattr(self, name) is None:  # else the optimizer knows its parameters
                setattr(self, name, deepcopy(self.local_generator()))
            getattr(self, name).load_state_dict(state[name])
        if self.old is not None:
            self.old = frozen(self.old)
