"""A strategy with class Gaussians whose heads are aligned on their samples after every task but the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recollect.engine.phases import Phase
from recollect.pretrained.alignment import Alignment, alignment_loss, nearest, shrinkage
from recollect.pretrained.features import RowBatches
from recollect.pretrained.gaussians import ClassGaussians
from recollect.pretrained.heads import positions
from recollect.pretrained.strategy import PretrainedStrategy, SGDPhase


class AlignedStrategy(PretrainedStrategy):
    """What LCA, SLCA and MOS share: statistics of every class, never recomputed, and the alignment on them.

    Attributes:
        gaussians: statistics of the classes seen.
        alignment: how; ``loss: none`` leaves it out.
        align_seed: of the samples of the current task, so that a resumed run draws the same.
    """

    always_observes = False
    """Whether statistics have another use than the alignment."""

    def __init__(self, *, gaussians: ClassGaussians, alignment: Alignment, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.gaussians, self.alignment = gaussians, alignment
        self.align_seed = 0

    @property
    def aligns(self) -> bool:
        """Whether there is an alignment after the current task."""
        return self.alignment.loss != "none" and self.done > 0

    def later_phases(self) -> Sequence[Phase]:
        """All heads, old and new, on samples of all classes; the backbone is not used."""
        how = self.alignment
        if not self.aligns:
            return []
        return [
            SGDPhase(
                "align", how.epochs, self.aligned_parameters, lr=how.lr, momentum=how.momentum,
                weight_decay=how.weight_decay, batches=self.samples,
            )
        ]  # fmt: skip

    def aligned_parameters(self) -> list[nn.Parameter]:
        """All heads."""
        return list(self.model.heads.parameters())

    def start_phase(self) -> None:
        """A seed of the samples when the alignment starts."""
        super().start_phase()
        if self.phase.name == "align":
            self.tokens = None
            self.align_seed = int(torch.randint(2**62, (), generator=self.generator))

    def observe(self, features: Tensor) -> None:
        """Statistics of the current task's classes from its features (n, d)."""
        if self.alignment.loss == "none" and not self.always_observes:
            return
        labels = self.images().labels
        for label in self.task_classes():
            self.gaussians.add(label, features[labels == label])

    def consolidate(self) -> None:
        """Statistics with the adaptation as it was trained."""
        self.observe(self.task_features(self.model.adaptation))

    def samples(self) -> RowBatches:
        """Batches (sample, place of its class, whether its nearest mean is its own)."""
        rows: Any = self.draw if self.alignment.redraw else self.draw(self.align_seed)
        return RowBatches(rows, self.alignment.batch_size, self.generator)

    def draw(self, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Samples of all classes that follow from ``seed``."""
        with self.timed("sampling"):
            z, labels = self.gaussians.sample(
                self.alignment.samples, torch.Generator().manual_seed(seed), self.scale_of_mean
            )
            places = positions(self.model.heads.seen(), self.outputs.n_classes, self.device)[labels]
            if self.alignment.loss != "lca":
                return z, places, torch.ones_like(places, dtype=torch.bool)
            own = positions(self.gaussians.classes, self.outputs.n_classes, self.device)[labels]
            return z, places, nearest(z, self.gaussians.mean_matrix()) == own

    def scale_of_mean(self, label: int) -> float:
        """1, or SLCA's shrinkage of old means."""
        if not self.alignment.shrink:
            return 1.0
        classes = self.model.heads.classes
        return shrinkage(next(t for t, task in enumerate(classes) if label in task), len(classes))

    def forward(self) -> Tensor:
        """Outputs of all heads for samples; otherwise as the base class."""
        if self.is_training and self.phase.name == "align":
            return self.model.heads.joined(self.mb_x)
        return super().forward()

    def training_loss(self) -> Tensor:
        """The alignment loss in its phase; otherwise as the base class."""
        if self.phase.name != "align":
            return super().training_loss()
        sizes = [len(task) for task in self.model.heads.classes]
        return alignment_loss(self.mb_output, self.mb_y, self.mbatch[2], self.alignment, sizes)

    def extra_state(self) -> dict[str, Any]:
        """Statistics."""
        state = {"gaussians": self.gaussians.state_dict(), "align_seed": self.align_seed}
        return {**super().extra_state(), **state}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.gaussians.load_state_dict(state["gaussians"])
        self.align_seed = state["align_seed"]

    def notes(self) -> dict[str, Any]:
        """Classes whose covariance needed more than the ridge."""
        raised = {str(label): ridge for label, ridge in self.gaussians.ridges.items()}
        return {**super().notes(), **({"raised_ridges": raised} if raised else {})}
