"""The same methods as plain torch loops: what a careful person writes by hand, on tensors in memory.

Each function trains one task and returns the number of steps. They use what the engine uses where it changes the
cost of the arithmetic (fused SGD, closed-form EWC gradient, vectorised reservoir): ratios show the engine alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, mse_loss

BATCH = 32


@dataclass
class Task:
    """Images uint8 (N, 1, 28, 28), labels (N,), and how many classes are open."""

    x: Tensor
    y: Tensor
    open_classes: int


def batches(task: Task) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches as floats in [0, 1]."""
    order = torch.randperm(len(task.x))
    for start in range(0, len(order), BATCH):
        index = order[start : start + BATCH]
        yield task.x[index].float() / 255, task.y[index]


def naive(model: nn.Module, optimizer: torch.optim.Optimizer, task: Task) -> int:
    """Cross-entropy over the open classes."""
    for steps, (x, y) in enumerate(batches(task), 1):  # noqa: B007
        optimizer.zero_grad()
        cross_entropy(model(x)[:, : task.open_classes], y).backward()
        optimizer.step()
    return steps


def ewc(model: nn.Module, optimizer: torch.optim.Optimizer, task: Task) -> int:
    """Naive plus lam * F * (theta - theta*) in the gradient."""
    fisher = [torch.rand_like(p) * 1e-3 for p in model.parameters()]
    anchor = [p.detach().clone() for p in model.parameters()]
    for steps, (x, y) in enumerate(batches(task), 1):  # noqa: B007
        optimizer.zero_grad()
        cross_entropy(model(x)[:, : task.open_classes], y).backward()
        with torch.no_grad():
            for p, f, a in zip(model.parameters(), fisher, anchor, strict=True):
                p.grad.addcmul_(f, p - a, value=10.0)
        optimizer.step()
    return steps


def lwf(model: nn.Module, optimizer: torch.optim.Optimizer, task: Task) -> int:
    """Naive plus distillation from the model before the task over its classes."""
    teacher, old = deepcopy(model).eval(), task.open_classes - 2
    for steps, (x, y) in enumerate(batches(task), 1):  # noqa: B007
        optimizer.zero_grad()
        logits = model(x)
        with torch.no_grad():
            target = (teacher(x)[:, :old] / 2).softmax(1)
        distilled = kl_div((logits[:, :old] / 2).log_softmax(1), target, reduction="batchmean")
        (cross_entropy(logits[:, : task.open_classes], y) + distilled).backward()
        optimizer.step()
    return steps


def derpp(model: nn.Module, optimizer: torch.optim.Optimizer, task: Task, size: int = 200) -> int:
    """DER++ with a full reservoir of ``size`` float images."""
    rng, seen = np.random.default_rng(0), 12_000
    bx, by, bz = torch.rand(size, 1, 28, 28), torch.zeros(size, dtype=torch.long), torch.zeros(size, 10)
    for steps, (x, y) in enumerate(batches(task), 1):  # noqa: B007
        optimizer.zero_grad()
        i, j = (torch.from_numpy(rng.choice(size, BATCH, replace=False)) for _ in range(2))
        # One pass for the three batches, as the engine does for models without batch statistics.
        logits, old, older = model(torch.cat([x, bx[i], bx[j]])).split([len(x), BATCH, BATCH])
        loss = cross_entropy(logits[:, : task.open_classes], y)
        loss = loss + 0.2 * mse_loss(old, bz[i])
        loss = loss + 0.5 * cross_entropy(older[:, : task.open_classes], by[j])
        loss.backward()
        optimizer.step()
        slots = (rng.random(len(x)) * (seen + np.arange(1, len(x) + 1))).astype(np.int64)
        seen += len(x)
        for row in np.flatnonzero(slots < size):
            slot = int(slots[row])
            bx[slot], by[slot], bz[slot] = x[row], y[row], logits[row].detach()
    return steps


LOOPS = {"naive": naive, "lwf": lwf, "derpp": derpp, "ewc": ewc}
