"""Aligning classifiers on samples of class Gaussians: CA (Zhang et al., SLCA, 2023) and LCA (Tran et al., 2026).

    L_i = E[l(h, z)] + lambda * E|l(h, z) - l(h, z')|,   z, z' ~ N(mu_i, Sigma_i) near the prototype mu_i

The LCA loss of a batch is the mean of L_i over the classes present. A_i are the samples of class i whose nearest
class mean is mu_i; the second expectation is over ordered pairs in A_i. Where A_i is empty, the first is over all
samples of class i and the second is 0; it is 0 as well where A_i has a single sample. CA is plain cross-entropy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from recollect.errors import RecollectError

Kind = Literal["none", "ca", "lca"]


@dataclass(frozen=True)
class Alignment:
    """How heads are aligned after a task.

    Attributes:
        loss: ``lca``, ``ca`` or ``none``.
        epochs, batch_size, lr, momentum, weight_decay: of SGD with a cosine schedule to 0.
        samples: per class.
        redraw: samples are drawn anew every epoch (SLCA, MOS), not once per task (LCA).
        weight: lambda.
        temperature: logits are divided by their norm, averaged over tasks, and by this (SLCA: 0.1); None leaves
            them.
        shrink: means of old classes are multiplied by 0.9 + 0.1 * (age-dependent share) (SLCA).
    """

    loss: Kind = "lca"
    epochs: int = 10
    batch_size: int = 128
    lr: float = 5e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    samples: int = 512
    redraw: bool = False
    weight: float = 0.1
    temperature: float | None = None
    shrink: bool = False

    def __post_init__(self) -> None:
        if self.loss != "none" and (self.epochs < 1 or self.samples < 1):
            raise RecollectError(
                f"alignment has {self.epochs} epochs of {self.samples} samples per class: both must be at least 1"
            )
        if self.weight < 0:
            raise RecollectError(f"lca_lambda is {self.weight}: it weighs a distance, choose 0 or more")


def nearest(samples: Tensor, means: Tensor, block: int = 8192) -> Tensor:
    """Place of the nearest mean (Euclidean) of every sample (n, d) among means (K, d), int64 (n,)."""
    half_norms = means.square().sum(dim=1) / 2
    return torch.cat([(half_norms - part @ means.T).argmin(dim=1) for part in samples.split(block)])


def lca_loss(losses: Tensor, y: Tensor, near: Tensor, n_classes: int, weight: float) -> Tensor:
    """The LCA loss of a batch.

    Args:
        losses: (B,) cross-entropy of every sample over all seen classes.
        y: (B,) places of their classes, 0..n_classes - 1.
        near: bool (B,), whether the nearest class mean is that of the own class.
        n_classes: seen so far.
        weight: lambda.
    """
    ones = torch.ones_like(losses)
    of_class = losses.new_zeros(n_classes).index_add(0, y, ones)
    nearby = losses.new_zeros(n_classes).index_add(0, y, near.to(losses.dtype))
    counted = near | (nearby[y] == 0)  # A_i, or all samples of the class where A_i is empty
    members = torch.where(nearby > 0, nearby, of_class).clamp(min=1)
    first = losses.new_zeros(n_classes).index_add(0, y, losses * counted) / members
    # Over ordered pairs in A_i: sum of |l_a - l_b| = 2 * sum_k (2k - n + 1) l_(k) of the sorted losses, k from 0
    order = torch.argsort(losses.detach())
    sorted_y, sorted_near = y[order], near[order]
    one_hot = ((sorted_y[:, None] == torch.arange(n_classes, device=y.device)) & sorted_near[:, None]).long()
    rank = (one_hot.cumsum(dim=0) - one_hot).gather(1, sorted_y[:, None]).squeeze(1)
    n = nearby[sorted_y]
    factors = (2 * rank - n + 1) * sorted_near
    sums = 2 * losses.new_zeros(n_classes).index_add(0, sorted_y, losses[order] * factors)
    second = sums / (nearby * (nearby - 1)).clamp(min=1)
    return (first + weight * second).sum() / (of_class > 0).sum()


def normalised(logits: Tensor, sizes: list[int], temperature: float) -> Tensor:
    """Logits (B, K) over their norm, the mean of the tasks' L2 norms, and ``temperature`` (SLCA)."""
    norms = torch.stack([part.norm(dim=1) for part in logits.split(sizes, dim=1)], dim=1) + 1e-7
    return logits / norms.mean(dim=1, keepdim=True) / temperature


def alignment_loss(logits: Tensor, y: Tensor, near: Tensor, how: Alignment, sizes: list[int]) -> Tensor:
    """Loss of a batch of samples.

    Args:
        logits: (B, K) over all seen classes, head after head.
        y: (B,) places of the samples' classes in these.
        near: bool (B,), see :func:`lca_loss`.
        how: the alignment.
        sizes: classes of every head.
    """
    if how.temperature is not None:
        logits = normalised(logits, sizes, how.temperature)
    if how.loss == "ca":
        return cross_entropy(logits, y)
    return lca_loss(cross_entropy(logits, y, reduction="none"), y, near, logits.shape[1], how.weight)


def shrinkage(task_of_class: int, n_tasks: int) -> float:
    """SLCA's factor of a class mean, 0.9 + 0.1 * (t + 1) / T: 1 for the newest task, smaller for older ones."""
    return 0.9 + 0.1 * (task_of_class + 1) / n_tasks
