"""Distillation of a teacher's answers (Hinton et al. 2015), without the factor temperature squared."""

from __future__ import annotations

from torch import Tensor, nn


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) at a temperature, mean over the batch; logits (B, K)."""
    p, q = (teacher / temperature).softmax(1), (student / temperature).log_softmax(1)
    return nn.functional.kl_div(q, p, reduction="batchmean")
