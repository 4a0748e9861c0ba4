"""The five readout channels of ZDC images as features: a sum per channel, on two scales, and nothing learned.

No network, but used like one: what samples are compared by has a name, a hash and reference features. The masks
of the channels are its weights, so that the hash says which pixels were summed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recollect.metrics.generative.wasserstein import N_CHANNELS, channel_masks

N_FEATURES = 2 * N_CHANNELS
"""Sums of log(1 + photons) in channels 1 to 5, then sums of photons in the same channels."""


class ZdcChannels(nn.Module):
    """Images log(1 + photons) (B, 1, 44, 44) -> features (B, 10)."""

    masks: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("masks", torch.from_numpy(channel_masks()).flatten(1).float())

    def features(self, x: Tensor) -> Tensor:
        """Sums of the image and of exp(x) - 1; nothing is clipped, so negative logarithms are negative photons."""
        # In double precision: two thousand terms are summed, and photons span four orders of magnitude.
        log = x.flatten(1).double()
        return (torch.stack([log, log.expm1()], dim=1) @ self.masks.double().T).flatten(1)
