"""Several batches through one network in one pass, where that changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def has_batch_statistics(model: nn.Module) -> bool:
    """Whether an image's output depends on the other images of its batch."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())


def in_one_pass(model: nn.Module, batches: Sequence[Tensor]) -> list[Tensor]:
    """Outputs of a model for every batch.

    They come from one pass over all of them, unless batch statistics would mix them: then from one each.
    """
    if has_batch_statistics(model):
        return [model(x) for x in batches]
    return list(model(torch.cat(list(batches))).split([len(x) for x in batches]))
