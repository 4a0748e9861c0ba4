"""A small CNN for 8x8 grey images, so that the embedded data have an extractor without any download."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu


class SmallCNN(nn.Module):
    """Images (B, 1, 8, 8) in [0, 1] -> features (B, 16), outputs (B, n_outputs)."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(256, 16)
        self.fc2 = nn.Linear(16, n_outputs)

    def features(self, x: Tensor) -> Tensor:
        """The 16 values before the ReLU of ``fc1``, taken where those of `LeNet5` are."""
        x = max_pool2d(relu(self.conv1(x)), 2)
        x = max_pool2d(relu(self.conv2(x)), 2)
        return self.fc1(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        return self.fc2(relu(self.features(x)))
