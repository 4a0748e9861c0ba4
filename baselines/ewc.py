"""Elastic Weight Consolidation.

Papers: Kirkpatrick et al. 2017 (penalty: eq. 3); Schwarz et al. 2018 (online EWC: eq. 8, one running Fisher with decay
gamma); Huszar 2018 for the sum of quadratic penalties as one quadratic.

    penalty(theta) = lam / 2 * sum_i sum_k F_k^i (theta_k - theta*_k^i)^2          ("separate")
    penalty(theta) = lam / 2 * sum_k F~_k (theta_k - theta*_k)^2,  F~ <- gamma F~ + F   ("online")

Deliberate deviations:
- A sum of quadratics is a quadratic: "separate" keeps the summed Fisher and the Fisher-weighted mean of
  the anchors, from which the gradient is exact. Cost and memory do not grow with the number of tasks.
- The gradient lam * F * (theta - anchor) is added to .grad in closed form instead of being traced by autograd.

Fisher estimators (``fisher``), averaged over ``fisher_samples`` training images drawn without replacement:
- ``exact``: expectation over labels under the model's softmax, per sample;
- ``empirical``: squared gradient at the true label, per sample;
- ``batched``: square of the batch-mean gradient at the true labels, as in Avalanche; about batch-size times smaller.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.func import functional_call, grad, vmap

from recollect.engine.images import TaskImages
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy

CHUNK = 16
"""Images whose per-sample gradients are held at once."""


def fisher_diagonal(strategy: Strategy, images: TaskImages, estimator: str, samples: int) -> list[Tensor]:
    """Diagonal of the Fisher information, one tensor per trainable parameter, in evaluation mode.

    Args:
        strategy: gives model, output mask, batch size and generator.
        images: the task's training images.
        estimator: exact, empirical or batched.
        samples: images to average over; 0 or more than there are means all.
    """
    order = torch.randperm(len(images), generator=strategy.generator)
    index = order[: samples or len(images)].to(images.device)
    size = strategy.train_mb_size if estimator == "batched" else CHUNK
    parameters = dict(strategy.model.named_parameters())
    total = [torch.zeros_like(p) for p in parameters.values()]
    training = strategy.model.training
    strategy.model.eval()
    for part in index.split(size):
        x, y, task = images.gather(part), images.labels[part], images.task_labels[part]
        squared = _batched(strategy, x, y, task) if estimator == "batched" else _per_sample(strategy, x, y, task, estimator)
        torch._foreach_add_(total, squared)
    strategy.model.train(training)
    return [t / len(index) for t in total]


def _batched(strategy: Strategy, x: Tensor, y: Tensor, task: Tensor) -> list[Tensor]:
    loss = strategy.classification_loss(strategy.model(x), y, task)
    gradients = torch.autograd.grad(loss, list(strategy.model.parameters()))
    return [g.square() * len(x) for g in gradients]


def _per_sample(strategy: Strategy, x: Tensor, y: Tensor, task: Tensor, estimator: str) -> list[Tensor]:
    parameters = {name: p.detach() for name, p in strategy.model.named_parameters()}

    def log_likelihood(values: dict[str, Tensor], one: Tensor, label: Tensor, t: Tensor) -> Tensor:
        logits = strategy.outputs.apply(functional_call(strategy.model, values, (one[None],)), t[None])
        return logits.log_softmax(1)[0].gather(0, label[None])[0]

    gradients = vmap(grad(log_likelihood), in_dims=(None, 0, 0, 0), randomness="error")
    if estimator == "empirical":
        return [g.square().sum(0) for g in gradients(parameters, x, y, task).values()]
    with torch.no_grad():
        probability = strategy.outputs.apply(strategy.model(x), task).softmax(1)
    total = [torch.zeros_like(p) for p in parameters.values()]
    for label in torch.nonzero(probability.amax(0) > 0).flatten():
        weight = probability[:, label]
        for t, g in zip(total, gradients(parameters, x, label.expand(len(x)), task).values(), strict=True):
            t += torch.einsum("b,b...->...", weight, g.square())
    return total


class EWC(SupervisedPlugin):
    """Adds the penalty's gradient before every update and consolidates after every task.

    State: ``precision`` (summed or running Fisher) and ``anchor`` (its centre), one tensor per parameter each.
    """

    def __init__(self, *, lam: float, mode: str, gamma: float, fisher: str, fisher_samples: int) -> None:
        super().__init__()
        self.lam, self.mode, self.gamma = lam, mode, gamma
        self.fisher, self.fisher_samples = fisher, fisher_samples
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
        images = strategy.experience.dataset.ready_images
        fisher = fisher_diagonal(strategy, images, self.fisher, self.fisher_samples)
        self.consolidate(fisher, [p.detach() for p in strategy.model.parameters()])

    def consolidate(self, fisher: list[Tensor], parameters: list[Tensor]) -> None:
        """Merge a task's Fisher and optimum into the stored quadratic."""
        if not self.precision:
            self.precision, self.anchor = [f.clone() for f in fisher], [p.clone() for p in parameters]
            return
        if self.mode == "online":
            self.precision = [self.gamma * old + new for old, new in zip(self.precision, fisher, strict=True)]
            self.anchor = [p.clone() for p in parameters]
            return
        total = [old + new for old, new in zip(self.precision, fisher, strict=True)]
        share = [torch.where(t > 0, new / t, 1.0) for t, new in zip(total, fisher, strict=True)]
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
) -> Strategy:
    """EWC on the engine's strategy."""
    plugin = EWC(lam=lam, mode=mode, gamma=gamma, fisher=fisher, fisher_samples=fisher_samples)
    return Strategy(**setting.arguments(), plugins=[plugin])
