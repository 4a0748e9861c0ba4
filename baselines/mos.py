"""MOS, Model Surgery for pre-trained model-based class-incremental learning (Sun et al., AAAI 2025).

One adapter per task. While a task is trained, its adapter is pulled towards the mean of the earlier ones after
every update,

    A_t <- (1 - m) A_t + m mean_{k<t} A_k,    m = 0.1,

and a contrast of class means and features is added to the cross-entropy over the task's classes: with rows M
(means of the classes seen, then the batch's features), CE(M M^T / 0.8, identity), weight 0.1. Heads learn at a
tenth of the adapter's rate and are then aligned on samples of class Gaussians. At test time the prototypes of
the frozen backbone give a first answer; the adapter of the answer's task gives the next, until the task stays or
four adapters were asked. Its softmax is added to that of the prototypes' cosines times the number of tasks.

Facts of the authors' code (LAMDA-PILOT, models/mos.py). What is not copied from there: its backbone pulls all
adapters again for every block of every forward pass, in evaluation too, so that there m is not 0.1 and stored
adapters drift with every image that is judged. Here the equation holds: one pull per update. ``align: lca`` puts
the LCA loss in the place of MOS's alignment, with LCA's settings if they are given.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.aligned import AlignedStrategy
from recollect.pretrained.alignment import Alignment
from recollect.pretrained.building import make_model
from recollect.pretrained.gaussians import ClassGaussians
from recollect.pretrained.heads import spread
from recollect.pretrained.prototypes import Prototypes
from recollect.pretrained.strategy import Options

CONTRAST_TEMPERATURE = 0.8


def mean_contrast(means: Tensor | None, features: Tensor) -> Tensor:
    """Cross-entropy that wants every class mean (K, d) and feature (B, d) closest to itself."""
    rows = features if means is None else torch.cat([means, features])
    return cross_entropy(rows @ rows.T / CONTRAST_TEMPERATURE, torch.arange(len(rows), device=rows.device))


@torch.no_grad()
def pull(current: list[Tensor], old: list[list[Tensor]], momentum: float) -> None:
    """Move parameters towards the mean of the old ones, in place."""
    for number, parameter in enumerate(current):
        mean = torch.stack([parameters[number] for parameters in old]).mean(dim=0)
        parameter.lerp_(mean, momentum)


class MOS(AlignedStrategy):
    """A bank of adapters, pulled together; answers refine the choice of the adapter."""

    stored_model = AlignedStrategy.stored_model  # what scores reads beyond the model is in answering_state

    always_observes = True

    def __init__(
        self, *, adapter_momentum: float, contrast: float, rounds: int, head_lr_share: float, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.adapter_momentum, self.contrast, self.rounds = adapter_momentum, contrast, rounds
        self.head_lr_share = head_lr_share
        self.prototypes = Prototypes()

    def trained(self) -> list[Any]:
        """The adapter, and the newest head more slowly."""
        assert self.model.adaptation is not None
        head = {"params": self.model.heads.task(-1), "lr": self.head_lr_share * self.setting.train.lr}
        return [{"params": list(self.model.adaptation.parameters())}, head]

    def forward(self) -> Tensor:
        """Outputs of the newest head; the features are kept for the contrast."""
        if not self.is_training or self.phase.name == "align":
            return super().forward()
        self.batch = self.batch_features()
        return self.model.heads.local(self.batch, len(self.model.heads.classes) - 1)

    def training_loss(self) -> Tensor:
        """Cross-entropy and contrast; the alignment in its phase."""
        loss = super().training_loss()
        if self.phase.name == "align" or not self.contrast:
            return loss
        means = self.gaussians.mean_matrix() if len(self.gaussians) else None
        return loss + self.contrast * mean_contrast(means, self.batch)

    def optimizer_step(self) -> None:
        """An update, then the pull."""
        super().optimizer_step()
        if self.phase.name == "train" and len(self.model.bank):
            assert self.model.adaptation is not None
            old = [list(adaptation.parameters()) for adaptation in self.model.bank]
            pull(list(self.model.adaptation.parameters()), old, self.adapter_momentum)

    def consolidate(self) -> None:
        """Statistics of the adapted features, prototypes of the bare ones; the adapter joins the bank."""
        super().consolidate()
        self.prototypes.add(self.task_features(), self.images().labels, self.task_classes())
        self.model.shelve()

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Softmax of the refined answer plus softmax of the prototypes' cosines times the number of tasks."""
        heads, backbone = self.model.heads, self.model.backbone
        task_of = torch.tensor([t for t, classes in enumerate(heads.classes) for _ in classes], device=self.device)
        tokens = backbone.prefix(x, self.first)
        frozen = self.prototypes.scores(backbone.suffix(tokens, self.first))
        logits = torch.empty(len(x), len(task_of), device=self.device)
        chosen = task_of[frozen.argmax(dim=1)]
        moving = torch.ones(len(x), dtype=torch.bool, device=self.device)
        for _ in range(self.rounds):
            for task in chosen[moving].unique().tolist():
                rows = torch.nonzero(moving & (chosen == task)).flatten()
                logits[rows] = heads.joined(backbone.suffix(tokens[rows], self.first, self._adapter(task)))
            wanted = task_of[logits.argmax(dim=1)]
            moving = wanted != chosen
            if not moving.any():
                break
            chosen = wanted
        refined = softmax(logits, dim=1) + softmax(len(heads.classes) * frozen, dim=1)
        return spread(refined, heads.seen(), self.outputs.n_classes)

    def _adapter(self, task: int) -> Any:
        """The adapter of a task; while it is trained, the current one."""
        return self.model.bank[task] if task < len(self.model.bank) else self.model.adaptation

    def extra_state(self) -> dict[str, Any]:
        """Prototypes and, as they are carried too, the bank."""
        state = {"prototypes": self.prototypes.state_dict(), "bank": dict(self.model.bank.state_dict())}
        return {**super().extra_state(), **state}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back the prototypes; the model has its bank."""
        super().load_extra_state(state)
        self.prototypes.load_state_dict(state["prototypes"])

    def answering_state(self) -> dict[str, Any]:
        """Prototypes."""
        return {"prototypes": self.prototypes.state_dict()}

    def load_answering_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`answering_state` returned."""
        self.prototypes.load_state_dict(state["prototypes"])


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    adapter_width: int = 16,
    adapter_scale: float = 0.1,
    first_block: int = 0,
    lr_min: float = 0.0,
    adapter_momentum: float = 0.1,
    contrast: float = 0.1,
    rounds: int = 4,
    head_lr_share: float = 0.1,
    covariance: Literal["full", "low_rank", "diagonal"] = "full",
    covariance_rank: int = 0,
    align: Literal["lca", "ca", "none"] = "ca",
    align_epochs: int = 30,
    align_batch_size: int = 240,
    align_lr: float = 0.005,
    align_samples: int = 240,
    align_redraw: bool = True,
    align_temperature: float | None = None,
    align_shrink: bool = False,
    lca_lambda: float = 0.1,
) -> Strategy:
    """MOS; arguments that it shares with methods/lca.py mean the same.

    Args:
        adapter_momentum: m of the pull.
        contrast: weight of the contrast of means.
        rounds: adapters that are asked for an answer, at most.
        head_lr_share: learning rate of the head, as a share of the adapter's.
        align_redraw: samples anew every epoch.
        align_temperature, align_shrink: normalised logits and shrunk means of old classes, as in SLCA; MOS has
            neither.
    """
    model = make_model(
        setting, backbone, pretrained, "adapter", bias=True, bank=True, first_block=first_block,
        width=adapter_width, scale=adapter_scale,
    )  # fmt: skip
    return MOS(
        model=model, setting=setting, options=Options(lr_min), adapter_momentum=adapter_momentum,
        contrast=contrast, rounds=rounds, head_lr_share=head_lr_share,
        gaussians=ClassGaussians(model.backbone.dim, covariance, covariance_rank),
        alignment=Alignment(
            align, align_epochs, align_batch_size, align_lr, samples=align_samples, redraw=align_redraw,
            weight=lca_lambda, temperature=align_temperature, shrink=align_shrink,
        ),
    )  # fmt: skip
