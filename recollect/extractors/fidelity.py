"""Our extractors of pictures under their ids in torch-fidelity, for its own ``calculate_metrics``.

    register()
    torch_fidelity.calculate_metrics(
        input1=..., input2=..., fid=True, cuda=False, feature_extractor="lenet_mnist",
        feature_extractor_weights_path="results/extractors/lenet_mnist",
    )

Its cache knows an extractor by name only: leave the cache names of inputs out, or clear it with the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor
from torch_fidelity import FeatureExtractorBase, register_feature_extractor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from recollect.extractors.errors import ExtractorError
from recollect.extractors.features import as_float, check_images, load_extractor
from recollect.extractors.registry import EXTRACTORS
from recollect.steps.places import Places

LAYER = "features"


class RegisteredExtractor(FeatureExtractorBase):
    """Any of our extractors; its one layer is called ``features``.

    Args:
        name: id of the extractor.
        features_list: ``["features"]``.
        feature_extractor_weights_path: folder that ``recollect extractor`` wrote; by default the one below
            ``results``.
    """

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: str | Path | None = None,
        **_: Any,
    ) -> None:
        super().__init__(name, features_list)
        folder = Path(feature_extractor_weights_path or Places().extractor(name))
        loaded = load_extractor(folder)
        if loaded.spec.id != name:
            raise ExtractorError(f"{folder} holds the extractor {loaded.spec.id}, not {name}: name that one")
        self.spec, self.network = loaded.spec, loaded.network

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Images uint8 (B, C, H, W), or floating point in [0, 1], to a tuple of features (B, feature_dim)."""
        check_images(self.spec, x)
        return (self.network.features(as_float(self.spec, x)),)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """Names of the layers."""
        return (LAYER,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """The layer of every metric."""
        return LAYER

    @staticmethod
    def can_be_compiled() -> bool:
        """Checks of the images' values are not for tracing."""
        return False


def register() -> None:
    """Make all of them known to torch-fidelity under their ids; a second call does nothing."""
    for name, spec in EXTRACTORS.items():
        if spec.measured == "features" and name not in FEATURE_EXTRACTORS_REGISTRY:
            register_feature_extractor(name, RegisteredExtractor)
