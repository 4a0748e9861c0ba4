"""The conv net with which Multiband VAE / Adapt & Align compute features of Omniglot.

Layer names are those of the published weights. Their authors trained with dropout, which evaluation leaves out.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import leaky_relu, max_pool2d


class CharacterNet(nn.Module):
    """Images (B, 1, 28, 28) in [0, 1] -> features (B, 128), outputs (B, n_outputs)."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5)
        self.conv2 = nn.Conv2d(32, 64, 5)
        self.conv3 = nn.Conv2d(64, 16, 5)
        self.fc1 = nn.Linear(256, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, n_outputs)

    def features(self, x: Tensor) -> Tensor:
        """The 128 values of ``fc2``, before its LeakyReLU(0.01)."""
        x = max_pool2d(leaky_relu(self.conv1(x)), 2)
        x = leaky_relu(self.conv3(leaky_relu(self.conv2(x))))
        return self.fc2(leaky_relu(self.fc1(x.flatten(1))))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        return self.fc3(leaky_relu(self.features(x)))
