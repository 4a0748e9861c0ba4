"""FeTrIL, Feature Translation for exemplar-free class-incremental learning (Petit et al., WACV 2023).

The backbone is adapted to the first task and frozen. A past class c has no images; its pseudo-features are those
of the new class k whose mean is nearest by cosine, moved by the difference of the means:

    f_c = f(x_k) + mu_c - mu_k.

A linear classifier over all classes seen is trained on features of the new classes and pseudo-features of the past
ones. The authors train a linear SVM on normalised features; here it is the softmax classifier that they name as an
alternative, with SGD, on features as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.features import RowBatches
from recollect.pretrained.first_session import FirstSessionStrategy
from recollect.pretrained.heads import positions
from recollect.pretrained.prototypes import Prototypes, cosine
from recollect.pretrained.strategy import Options, SGDPhase


def translated(features: Tensor, y: Tensor, means: Tensor, n_new: int) -> tuple[Tensor, Tensor]:
    """Features of new classes with pseudo-features of all others.

    Args:
        features: (n, d) of the new classes.
        y: (n,) places of their classes in ``means``.
        means: (K, d); the last ``n_new`` are the new classes'.
        n_new: how many are new.

    Returns:
        (rows (m, d), places of their classes (m,)).
    """
    n_old = len(means) - n_new
    rows, labels = [features], [y]
    donors = cosine(means[:n_old], means[n_old:]).argmax(dim=1) + n_old if n_old else ()
    for past, donor in enumerate(donors):
        moved = features[y == donor] + (means[past] - means[donor])
        rows.append(moved)
        labels.append(torch.full((len(moved),), past, device=y.device))
    return torch.cat(rows), torch.cat(labels)


class FeTrIL(FirstSessionStrategy):
    """Means of all classes, and heads trained anew on translated features."""

    def __init__(self, *, classifier_epochs: int, classifier_lr: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.classifier_epochs, self.classifier_lr = classifier_epochs, classifier_lr
        self.means = Prototypes()

    def begin_task(self) -> None:
        """A head for every task."""
        self.model.heads.add(self.task_classes(), self.generator, self.device)

    def later_phases(self) -> Sequence[Phase]:
        """The classifier."""
        t = self.setting.train
        return [
            SGDPhase(
                "classifier", self.classifier_epochs, self.classifier, lr=self.classifier_lr, momentum=t.momentum,
                weight_decay=t.weight_decay, batches=self.translated_batches,
            )
        ]  # fmt: skip

    def classifier(self) -> list[nn.Parameter]:
        """All heads."""
        return list(self.model.heads.parameters())

    def consolidate(self) -> None:
        """Means of the new classes."""
        self.means.add(self.represent_task(), self.images().labels, self.task_classes())

    def translated_batches(self) -> RowBatches:
        """New classes' features and past ones' pseudo-features."""
        assert self.means.matrix is not None
        places = positions(self.means.classes, self.outputs.n_classes, self.device)[self.images().labels]
        rows = translated(self.represent_task(), places, self.means.matrix, len(self.task_classes()))
        return RowBatches(rows, self.train_mb_size, self.generator)

    def forward(self) -> Tensor:
        """Outputs of all heads for features in the classifier's phase."""
        if self.is_training and self.phase.name == "classifier":
            return self.model.heads.joined(self.mb_x)
        return super().forward()

    def training_loss(self) -> Tensor:
        """Cross-entropy, over all classes in the classifier's phase."""
        return (
            cross_entropy(self.mb_output, self.mb_y)
            if self.phase.name == "classifier"
            else super().training_loss()
        )

    def extra_state(self) -> dict[str, Any]:
        """Means."""
        return {**super().extra_state(), "means": self.means.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.means.load_state_dict(state["means"])


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    peft: Literal["adapter", "lora", "ssf", "vpt_deep", "vpt_shallow", "finetune"] = "adapter",
    rank: int = 64,
    adapter_width: int = 64,
    adapter_scale: float = 0.1,
    prompts: int = 5,
    first_block: int = 0,
    lr_min: float = 0.0,
    classifier_epochs: int = 20,
    classifier_lr: float = 0.01,
) -> Strategy:
    """FeTrIL; arguments that it shares with methods/lca.py mean the same.

    Args:
        peft: how the backbone is adapted to the first task.
        prompts: tokens of VPT.
        classifier_epochs, classifier_lr: of the classifier after every task.
    """
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, rank=rank, width=adapter_width,
        scale=adapter_scale, prompts=prompts,
    )  # fmt: skip
    return FeTrIL(
        model=model, setting=setting, options=Options(lr_min), classifier_epochs=classifier_epochs,
        classifier_lr=classifier_lr,
    )  # fmt: skip
