"""LeNet-5 with max-pooling and ReLU: the evaluation network of Multiband VAE / Adapt & Align on MNIST.

LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86 (1998). Layer names are those of the published weights.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu


class LeNet5(nn.Module):
    """Images (B, 1, 28, 28) in [0, 1] -> features (B, 84), outputs (B, n_outputs)."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(256, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, n_outputs)

    def features(self, x: Tensor) -> Tensor:
        """The 84 values before the ReLU of ``fc2``, as published FIDs use them."""
        x = max_pool2d(relu(self.conv1(x)), 2)
        x = max_pool2d(relu(self.conv2(x)), 2)
        return self.fc2(relu(self.fc1(x.flatten(1))))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        return self.fc3(relu(self.features(x)))
