"""Seconds per EWC step after 1, 2, 5, 10 and 50 tasks: the penalty must not grow."""

from __future__ import annotations

import statistics
import time
from types import SimpleNamespace

import torch

from baselines.ewc import EWC
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.models.classifiers import MLP

TASKS = (1, 2, 5, 10, 50)


def measure(repeats: int = 200) -> dict[int, float]:
    """Tasks consolidated -> median ms of adding the penalty's gradient, MLP of 2x400 on 28x28."""
    use_deterministic_algorithms(threads=1)
    model = MLP(input_shape=(1, 28, 28), n_outputs=10)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    strategy = SimpleNamespace(model=model)
    found = {}
    for tasks in TASKS:
        plugin = EWC(lam=1.0, mode="separate", gamma=1.0, estimator="exact", samples=1)
        for _ in range(tasks):
            plugin.consolidate(
                [torch.rand_like(p) for p in model.parameters()], [p.detach() for p in model.parameters()]
            )
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            plugin.before_update(strategy)
            times.append(time.perf_counter() - start)
        found[tasks] = 1e3 * statistics.median(times)
    return found
