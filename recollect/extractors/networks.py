"""From a spec and weights to a network in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from recollect.extractors.character_net import CharacterNet
from recollect.extractors.errors import ExtractorError
from recollect.extractors.inception import Inception
from recollect.extractors.lenet5 import LeNet5
from recollect.extractors.resnet20 import ResNet20
from recollect.extractors.small_cnn import SmallCNN
from recollect.extractors.spec import ExtractorSpec
from recollect.extractors.zdc_channels import ZdcChannels

NETWORKS: dict[str, Callable[[int], Any]] = {
    "lenet5": LeNet5,
    "character_net": CharacterNet,
    "resnet20": ResNet20,
    "small_cnn": SmallCNN,
    "zdc_channels": lambda n_outputs: ZdcChannels(),
}
"""Networks that are made first and filled then; Inception cannot be made without weights."""


def build(spec: ExtractorSpec, weights: Mapping[str, Tensor]) -> nn.Module:
    """The network of an extractor: ``features(x)`` gives (B, feature_dim), nothing in it learns.

    Raises:
        ExtractorError: the weights are of another network.
    """
    try:
        if spec.network == "inception":
            network: nn.Module = Inception(weights)
        else:
            network = NETWORKS[spec.network](spec.n_outputs)
            network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ExtractorError(
            f"extractor {spec.id}: the weights do not fit its network {spec.network}: make it again with "
            f"`recollect extractor {spec.id}`"
        ) from error
    return network.eval().requires_grad_(False)
