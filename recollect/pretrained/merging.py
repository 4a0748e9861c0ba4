"""Incremental merging of fine-tuned parameters (LCA, section on merging; TIES: Yadav et al. 2023).

Task vectors are differences to the initial parameters, theta_0. All rules are element-wise, tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Rule = Literal["max_abs", "ties"]
Parameters = dict[str, Tensor]


def max_abs(old: Tensor, new: Tensor) -> Tensor:
    """The entry of larger magnitude; on equal magnitude the new one (the paper's >=)."""
    return torch.where(new.abs() >= old.abs(), new, old)


def ties(old: Tensor, new: Tensor) -> Tensor:
    """TIES of two untrimmed vectors: mean where signs agree, 0 where they differ, the other where one is 0.

    The sign that wins is that of the sum, and the mean is over the entries of that sign (Yadav et al., steps 2 and
    3): with two vectors of opposite sign the larger entry alone would remain. The LCA authors' code gives 0 there,
    and so does this.
    """
    agreeing = torch.where(old * new < 0, 0.0, old + new)
    both = (old != 0) & (new != 0)
    return torch.where(both, agreeing / 2, agreeing)


RULES = {"max_abs": max_abs, "ties": ties}


@torch.no_grad()
def merge(
    initial: Mapping[str, Tensor], merged: Mapping[str, Tensor], trained: Mapping[str, Tensor], rule: Rule,
    alpha: float = 1.0,
) -> Parameters:  # fmt: skip
    """theta_0 + alpha * tau of every tensor, tau merged from the previous and the new task vector.

    Args:
        initial: theta_0.
        merged: the result after the previous task.
        trained: after this task's training, which started from ``merged``.
        rule: ``max_abs`` (the paper's text) or ``ties`` (the authors' configuration).
        alpha: of the published runs is 1.
    """
    combine = RULES[rule]
    return {
        name: start + alpha * combine(merged[name] - start, trained[name] - start)
        for name, start in initial.items()
    }
