"""Inception-v3 pool3 features through torch-fidelity's network, the one of the usual FID.

Heusel et al., NeurIPS (2017). torch-fidelity resizes to 299 as TensorFlow 1 did and scales (v - 128) / 128, where
pytorch-fid, with the same weights, resizes as PyTorch does and scales 2x - 1: their FIDs differ slightly.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Inception(nn.Module):
    """Images (B, 1 or 3, H, W) in [0, 1] -> features (B, 2048).

    The network takes bytes, so values are rounded to n / 255; grey images are repeated to three channels.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # Its constructor unpickles whatever file it is given. So it gets one that was made here, of plain tensors.
        buffer = io.BytesIO()
        torch.save(dict(weights), buffer)
        buffer.seek(0)
        self.net = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=buffer)

    def features(self, x: Tensor) -> Tensor:
        """The 2048 values of pool3."""
        levels = x.mul(255).round().clamp(0, 255).to(torch.uint8)
        return self.net(levels.expand(-1, 3, -1, -1))[0]
