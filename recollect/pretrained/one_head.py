"""A strategy that trains the heads of all classes on every task: naive and joint training of an adaptation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recollect.pretrained.strategy import PretrainedStrategy


class OneHead(PretrainedStrategy):
    """Cross-entropy over all classes seen; the heads of the tasks are one growing head."""

    def trained(self) -> list[Any]:
        """The adaptation and all heads."""
        assert self.model.adaptation is not None
        return [*self.model.adaptation.parameters(), *self.model.heads.parameters()]

    def forward(self) -> Tensor:
        """Outputs of all heads."""
        return self.model.heads(self.batch_features()) if self.is_training else super().forward()

    def training_loss(self) -> Tensor:
        """Cross-entropy over the classes seen."""
        return self.classification_loss(self.mb_output, self.mb_y)
