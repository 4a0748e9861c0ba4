"""Training an extractor that has no published weights: a classifier of a data set's training images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recollect.datasets import Prepared
from recollect.extractors.errors import ExtractorError
from recollect.extractors.networks import NETWORKS, build
from recollect.extractors.spec import ExtractorSpec
from recollect.extractors.weights import Weights


def train_weights(spec: ExtractorSpec, data: Prepared) -> Weights:
    """Train with Adam and exponentially falling learning rate, on the CPU.

    The same seed, data and number of threads give the same weights, bit for bit, on one platform. Global random
    states are left as they were.

    Args:
        spec: an extractor with `training`.
        data: the data set that it names.
    """
    recipe = spec.training
    if recipe is None:
        raise ExtractorError(f"extractor {spec.id} has published weights: it is not trained here")
    if not spec.takes(data.train_x.shape[1:]):
        raise ExtractorError(
            f"extractor {spec.id} takes images of shape {spec.input_shape}, those of {recipe.dataset} are "
            f"{data.train_x.shape[1:]}: correct its entry"
        )
    x, y = _images(data.train_x), torch.from_numpy(np.array(data.train_y))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = NETWORKS[spec.network](spec.n_outputs)
    order = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.lr)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, recipe.lr_decay)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(x), generator=order).split(recipe.batch_size):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return {name: value.detach().clone() for name, value in sorted(network.state_dict().items())}


def accuracy(spec: ExtractorSpec, weights: Weights, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images uint8 (N, C, H, W) that the network classifies as their labels (N,)."""
    network = build(spec, weights)
    with torch.no_grad():
        scores = torch.cat([network(block) for block in _images(images).split(1024)])
    return float(np.mean(scores.argmax(1).numpy() == labels))


def _images(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).float().div_(255)
