"""Local Classifier Alignment with incremental merging (Tran, Vargas, Than, ICLR 2026, arXiv 2603.09888).

A frozen ViT with LoRA on its qkv projections, one linear head without bias per task. Task t:

1. LoRA, starting from the merged one, and head t are trained with cross-entropy over the task's own classes.
2. Mean and covariance of every new class, from training images under test conditions and the backbone as it was
   just trained, *not yet merged*. They are never recomputed.
3. Incremental merging (IM) of task vectors tau_t = theta_t - theta_0, element by element:
       tau <- where(|tau_t| >= |tau|, tau_t, tau)    (max_abs, the paper)
       signs equal: mean, opposite: 0, one zero: the other    (ties, the authors' configuration)
   and theta = theta_0 + alpha tau. After the first task there is nothing to merge.
4. From the second task on, all heads are aligned on samples of the class Gaussians, with the LCA loss
       L_i = E[l(h, z)] + lambda E|l(h, z) - l(h, z')|,    z, z' ~ N(mu_i, Sigma_i) near mu_i
   (recollect/pretrained/alignment.py), or plain cross-entropy (CA), or not at all (IM).

Deliberate deviations from the authors' code: on equal magnitude max_abs keeps the new entry, as the paper writes;
the batch size of the alignment does not shrink after a short last batch; the entropy term and the logit
normalisation, which their main configuration leaves off, are left out.
"""

from __future__ import annotations

from typing import Any, Literal

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.pretrained.aligned import AlignedStrategy
from recollect.pretrained.alignment import Alignment
from recollect.pretrained.building import make_model
from recollect.pretrained.gaussians import ClassGaussians
from recollect.pretrained.merging import Parameters, Rule, merge
from recollect.pretrained.strategy import Options


class LCA(AlignedStrategy):
    """Incremental merging, then alignment.

    Attributes:
        initial: theta_0, the adaptation before the first step; a run carries it.
        merged: theta after the previous task, while a task is trained.
    """

    def __init__(
        self, *, merge_rule: Rule, alpha: float, statistics: Literal["unmerged", "merged"], **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.merge_rule, self.alpha, self.statistics = merge_rule, alpha, statistics
        self.initial: Parameters = {}
        self.merged: Parameters = {}

    def begin_task(self) -> None:
        """A new head; remember where the backbone starts from."""
        super().begin_task()
        if self.done == 0:
            self.initial = self.model.adapted()
        else:
            self.merged = self.model.adapted()

    def consolidate(self) -> None:
        """Statistics, then merging (or the other way round, which is another method)."""
        if self.statistics == "unmerged":
            super().consolidate()
        if self.done > 0:
            self.model.adapt(merge(self.initial, self.merged, self.model.adapted(), self.merge_rule, self.alpha))
        if self.statistics == "merged":
            super().consolidate()
        self.merged = {}

    def extra_state(self) -> dict[str, Any]:
        """The initial and, within a task, the merged adaptation."""
        return {**super().extra_state(), "initial": dict(self.initial), "merged": dict(self.merged)}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.initial, self.merged = dict(state["initial"]), dict(state["merged"])


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    peft: Literal["lora", "adapter", "ssf", "vpt_deep", "vpt_shallow"] = "lora",
    rank: int = 64,
    adapter_width: int = 16,
    adapter_scale: float = 0.1,
    first_block: int = 0,
    lr_min: float = 1e-6,
    merge_rule: Literal["max_abs", "ties"] = "max_abs",
    alpha: float = 1.0,
    statistics: Literal["unmerged", "merged"] = "unmerged",
    covariance: Literal["full", "low_rank", "diagonal"] = "full",
    covariance_rank: int = 0,
    align: Literal["lca", "ca", "none"] = "lca",
    align_epochs: int = 10,
    align_batch_size: int = 128,
    align_lr: float = 0.005,
    align_samples: int = 512,
    lca_lambda: float = 0.1,
    precision: Literal["float32", "bf16"] = "float32",
    compiled: bool = False,
) -> Strategy:
    """IM (``align: none``), IM + CA (``align: ca``) or IM + LCA.

    Args:
        backbone: an embedded one (vit_cifar50, vit_digits05) or a ViT of timm by name.
        pretrained: False takes random weights, for timing.
        peft, rank, adapter_width, adapter_scale: what is trained; LoRA's alpha is twice its rank.
        first_block: blocks before it are left alone, so that their tokens are computed once where images are not
            augmented; 0 adapts all, as published.
        lr_min: end of the cosine schedule of task training.
        merge_rule, alpha: of incremental merging.
        statistics: unmerged, as published, or merged.
        covariance, covariance_rank: how class covariances are kept.
        align, align_epochs, align_batch_size, align_lr, align_samples, lca_lambda: the alignment, samples per
            class.
        precision, compiled: bf16 autocast and torch.compile of the backbone, for GPUs.
    """
    if alpha <= 0:
        raise RecollectError(f"alpha is {alpha}, the weight of the merged task vector: choose it above 0")
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, rank=rank, width=adapter_width,
        scale=adapter_scale,
    )  # fmt: skip
    return LCA(
        model=model, setting=setting, options=Options(lr_min, precision, compiled), merge_rule=merge_rule,
        alpha=alpha, statistics=statistics,
        gaussians=ClassGaussians(model.backbone.dim, covariance, covariance_rank),
        alignment=Alignment(
            align, align_epochs, align_batch_size, align_lr, samples=align_samples, weight=lca_lambda
        ),
    )  # fmt: skip
