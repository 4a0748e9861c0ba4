"""Which experts a task has used, and so are frozen after it; bookkeeping of how much it used each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

Rule = Literal["threshold", "ever_selected", "none"]


class Usage:
    """Mean gate weight after top-k, and whether ever chosen, of every expert of every block.

    Gathered batch by batch over one epoch of a task's training samples.
    """

    def __init__(self) -> None:
        self.totals: list[Tensor] = []
        self.chosen: list[Tensor] = []
        self.samples = 0

    def add(self, weights: Sequence[Tensor]) -> None:
        """Count a batch; weights (N, E) by block."""
        if not self.totals:
            self.totals = [torch.zeros(g.shape[1], dtype=torch.float64, device=g.device) for g in weights]
            self.chosen = [torch.zeros(g.shape[1], dtype=torch.bool, device=g.device) for g in weights]
        for total, chosen, g in zip(self.totals, self.chosen, weights, strict=True):
            total += g.detach().double().sum(dim=0)
            chosen |= (g > 0).any(dim=0)
        self.samples += len(weights[0])

    def means(self) -> list[list[float]]:
        """u_e of every expert by block; each block sums to 1."""
        return [(total / max(self.samples, 1)).tolist() for total in self.totals]

    def used(self, rule: Rule, threshold: float | None = None) -> list[list[bool]]:
        """Which experts count as used by block.

        Args:
            rule: ``threshold``: mean weight at least ``threshold``; ``ever_selected``; ``none``: no expert.
            threshold: None for 1 / (experts of the block).
        """
        if rule == "none":
            return [[False] * len(total) for total in self.totals]
        if rule == "ever_selected":
            return [chosen.tolist() for chosen in self.chosen]
        return [[u >= (1 / len(us) if threshold is None else threshold) for u in us] for us in self.means()]

    def state_dict(self) -> dict[str, Any]:
        """Sums and counts."""
        return {"totals": list(self.totals), "chosen": list(self.chosen), "samples": self.samples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned."""
        self.totals, self.chosen = list(state["totals"]), list(state["chosen"])
        self.samples = state["samples"]


def fresh_needed(frozen: Sequence[bool], top_k: int, fresh: int) -> int:
    """How many experts to append: ``fresh`` where fewer than ``top_k`` are left to train, else none."""
    return fresh if sum(not f for f in frozen) < top_k else 0
