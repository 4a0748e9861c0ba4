"""A strategy that answers by the cosine to class prototypes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recollect.pretrained.heads import spread
from recollect.pretrained.prototypes import Prototypes
from recollect.pretrained.strategy import PretrainedStrategy


class PrototypeStrategy(PretrainedStrategy):
    """One prototype per class, the mean of its features; nothing is stored of images.

    A method overrides :meth:`represent`, what the features are.
    """

    stored_model = PretrainedStrategy.stored_model  # what scores reads beyond the model is in answering_state

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.prototypes = Prototypes()

    def represent(self, x: Tensor) -> Tensor:
        """Features (B, d) of images: of the bare backbone."""
        return self.features_of(x)

    def represent_task(self) -> Tensor:
        """:meth:`represent` of all images of the current task."""
        return self.task_features()

    def consolidate(self) -> None:
        """Prototypes of the task's classes."""
        self.prototypes.add(self.represent_task(), self.images().labels, self.task_classes())

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Cosines with the prototypes."""
        return spread(self.prototypes.scores(self.represent(x)), self.prototypes.classes, self.outputs.n_classes)

    def extra_state(self) -> dict[str, Any]:
        """Prototypes."""
        return {**super().extra_state(), "prototypes": self.prototypes.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.prototypes.load_state_dict(state["prototypes"])

    def answering_state(self) -> dict[str, Any]:
        """Prototypes."""
        return {"prototypes": self.prototypes.state_dict()}

    def load_answering_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`answering_state` returned."""
        self.prototypes.load_state_dict(state["prototypes"])
