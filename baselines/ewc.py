"""Elastic Weight Consolidation.

Papers: Kirkpatrick et al. 2017 (penalty: eq. 3); Schwarz et al. 2018 (online EWC: eq. 8, one running Fisher with
decay gamma); Huszar 2018 for the sum of quadratic penalties as one quadratic.

    penalty(theta) = lam / 2 * sum_i sum_k F_k^i (theta_k - theta*_k^i)^2          ("separate")
    penalty(theta) = lam / 2 * sum_k F~_k (theta_k - theta*_k)^2,  F~ <- gamma F~ + F   ("online")

Deliberate deviations:
- A sum of quadratics is a quadratic: "separate" keeps the summed Fisher and the Fisher-weighted mean of
  the anchors, from which the gradient is exact. Cost and memory do not grow with the number of tasks.
- The gradient lam * F * (theta - anchor) is added to .grad in closed form instead of being traced by autograd.

The Fisher estimator (``fisher``) averages over ``fisher_samples`` training images drawn without replacement:
exact, empirical or batched, see :mod:`recollect.engine.fisher`. With ``buffer_size`` every step also replays
stored samples (``er.py``), a combination that no paper has.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from avalanche.core import SupervisedPlugin
from torch import Tensor

from recollect.engine import fisher
from recollect.engine.images import TaskImages, ready_images
from recollect.engine.modes import evaluating
from recollect.engine.replay import ExperienceReplay, reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


def fisher_diagonal(strategy: Strategy, images: TaskImages, estimator: str, samples: int) -> list[Tensor]:
    """Diagonal of the Fisher information, one tensor per parameter, with the model in evaluation mode.

    Args:
        strategy: gives model, output mask, batch size and generator.
        images: the images of one task.
        estimator: exact, empirical or batched, see :mod:`recollect.engine.fisher`.
        samples: images to average over, drawn without replacement; 0 or more than there are means all.
    """
    model, task = strategy.model, images.task_labels[:1]
    index = torch.randperm(len(images), generator=strategy.generator)[: samples or len(images)].to(images.device)
    linear = fisher.only_linear(model)
    chunk = (
        strategy.train_mb_size
        if estimator == "batched"
        else fisher.LINEAR_CHUNK
        if linear
        else fisher.GENERAL_CHUNK
    )
    per_sample = fisher.linear_fisher_sum if linear else fisher.general_fisher_sum
    total = [torch.zeros_like(p) for p in model.parameters()]

    def masked(logits: Tensor) -> Tensor:
        return strategy.outputs.apply(logits, task.expand(len(logits)))

    with evaluating(model):
        for part in index.split(chunk):
            x, y = images.gather(part), images.labels[part]
            if estimator == "batched":
                squared = fisher.batched_fisher_sum(model, masked, x, y)
            else:
                squared = per_sample(model, masked, x, y, estimator)
            torch._foreach_add_(total, squared)
    return [t / len(index) for t in total]


class EWC(SupervisedPlugin):
    """Adds the penalty's gradient before every update and consolidates after every task.

    State: ``precision`` (summed or running Fisher) and ``anchor`` (its centre), one tensor per parameter each.
    """

    def __init__(self, *, lam: float, mode: str, gamma: float, estimator: str, samples: int) -> None:
        super().__init__()
        self.lam, self.mode, self.gamma = lam, mode, gamma
        self.estimator, self.samples = estimator, samples
        self.precision: list[Tensor] = []
        self.anchor: list[Tensor] = []

    @torch.no_grad()
    def penalty(self, parameters: list[Tensor]) -> Tensor:
        """lam / 2 * sum F (theta - anchor)^2; equal to the sum over tasks up to a constant in theta."""
        terms = zip(self.precision, parameters, self.anchor, strict=True)
        return self.lam / 2 * sum(((f * (p - a).square()).sum() for f, p, a in terms), torch.zeros(()))

    @torch.no_grad()
    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        """Gradient of the penalty: lam * F * (theta - anchor)."""
        if self.precision:
            parameters = list(strategy.model.parameters())
            offset = torch._foreach_sub(parameters, self.anchor)
            torch._foreach_addcmul_([p.grad for p in parameters], self.precision, offset, value=self.lam)

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Estimate the task's Fisher and consolidate."""
        images = ready_images(strategy.experience.dataset, strategy.device)
        diagonal = fisher_diagonal(strategy, images, self.estimator, self.samples)
        self.consolidate(diagonal, [p.detach() for p in strategy.model.parameters()])

    def consolidate(self, diagonal: list[Tensor], parameters: list[Tensor]) -> None:
        """Merge a task's Fisher and optimum into the stored quadratic."""
        if not self.precision:
            self.precision, self.anchor = [f.clone() for f in diagonal], [p.clone() for p in parameters]
            return
        if self.mode == "online":
            self.precision = [self.gamma * old + new for old, new in zip(self.precision, diagonal, strict=True)]
            self.anchor = [p.clone() for p in parameters]
            return
        total = [old + new for old, new in zip(self.precision, diagonal, strict=True)]
        share = [torch.where(t > 0, new / t, 1.0) for t, new in zip(total, diagonal, strict=True)]
        self.anchor = [a + s * (p - a) for a, s, p in zip(self.anchor, share, parameters, strict=True)]
        self.precision = total

    def state_dict(self) -> dict[str, Any]:
        """Precision and anchor."""
        return {"precision": self.precision, "anchor": self.anchor}

    def load_state_dict(self, state: dict[str, Any], strategy: Any) -> None:
        """Put back precision and anchor."""
        self.precision, self.anchor = state["precision"], state["anchor"]


def build(
    *,
    setting: Setting,
    lam: float,
    mode: Literal["separate", "online"] = "separate",
    gamma: float = 1.0,
    fisher: Literal["exact", "empirical", "batched"] = "exact",
    fisher_samples: int = 1000,
    buffer_size: int = 0,
    replay_batch_size: int = 32,
) -> Strategy:
    """EWC on the engine's strategy, or on experience replay where there is a buffer."""
    plugin = EWC(lam=lam, mode=mode, gamma=gamma, estimator=fisher, samples=fisher_samples)
    if buffer_size:
        return ExperienceReplay(
            buffer=reservoir(setting, buffer_size), replay_batch_size=replay_batch_size, **setting.arguments(),
            plugins=[plugin],
        )  # fmt: skip
    return Strategy(**setting.arguments(), plugins=[plugin])
