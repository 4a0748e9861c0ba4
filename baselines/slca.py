"""SLCA, Slow Learner with Classifier Alignment (Zhang et al., ICCV 2023).

The whole backbone is fine-tuned, a hundred times slower than the head; each task has a head of its own, trained
on the task's classes. After every task but the first the heads are aligned (CA) with plain cross-entropy on
samples of the class Gaussians: drawn anew every epoch, in batches of one class's number, means of old classes
shrunk by 0.9 + 0.1 (t + 1) / T, logits divided by the mean norm of the tasks' logits and by a temperature. The
heads have biases. All as in the authors' code (models/slca.py).

``align: lca`` puts the LCA loss in the place of CA (rows SLCA + LCA of the LCA paper), ``none`` leaves it out.
"""

from __future__ import annotations

from typing import Any, Literal

from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.aligned import AlignedStrategy
from recollect.pretrained.alignment import Alignment
from recollect.pretrained.building import make_model
from recollect.pretrained.gaussians import ClassGaussians
from recollect.pretrained.strategy import SGDPhase


class SLCA(AlignedStrategy):
    """Two learning rates, then the alignment."""

    def __init__(self, *, backbone_lr: float, milestones: tuple[int, ...], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.backbone_lr, self.milestones = backbone_lr, milestones

    def trained(self) -> list[Any]:
        """The backbone slowly, the newest head at the learning rate of the settings."""
        assert self.model.adaptation is not None
        slow = {"params": list(self.model.adaptation.parameters()), "lr": self.backbone_lr}
        return [slow, {"params": self.model.heads.task(-1)}]

    def training_phase(self) -> Phase:
        """Steps instead of a cosine."""
        t = self.setting.train
        return SGDPhase(
            "train", t.epochs, self.trained, lr=t.lr, momentum=t.momentum, weight_decay=t.weight_decay,
            batches=self.task_batches, schedule="steps", milestones=self.milestones,
        )  # fmt: skip


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    backbone_lr: float = 0.0001,
    first_block: int = 0,
    milestones: list[int] = [18],  # noqa: B006 - read as a plain value, never changed
    covariance: Literal["full", "low_rank", "diagonal"] = "full",
    covariance_rank: int = 0,
    align: Literal["lca", "ca", "none"] = "ca",
    align_epochs: int = 5,
    align_batch_size: int = 256,
    align_lr: float = 0.01,
    align_samples: int = 256,
    align_redraw: bool = True,
    align_temperature: float | None = 0.1,
    align_shrink: bool = True,
    lca_lambda: float = 0.1,
) -> Strategy:
    """SLCA; arguments that it shares with methods/lca.py and baselines/mos.py mean the same.

    Args:
        backbone_lr: learning rate of the backbone; ``lr`` of the settings is the heads'.
        milestones: epochs from which on learning rates are a tenth.
    """
    model = make_model(setting, backbone, pretrained, "finetune", bias=True, first_block=first_block)
    return SLCA(
        model=model, setting=setting, backbone_lr=backbone_lr,
        milestones=tuple(milestones), gaussians=ClassGaussians(model.backbone.dim, covariance, covariance_rank),
        alignment=Alignment(
            align, align_epochs, align_batch_size, align_lr, samples=align_samples, redraw=align_redraw,
            weight=lca_lambda, temperature=align_temperature, shrink=align_shrink,
        ),
    )  # fmt: skip
