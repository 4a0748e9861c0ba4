"""What samples of several modalities do not allow. Imports no torch."""

from __future__ import annotations

from typing import Any

from recollect.config.schema import ConfigError
from recollect.datasets import DATASETS

OF_IMAGES = ("permuted-pixels", "rotated")
"""Protocols that change images."""
KEYS = ("skip_unreadable", "absent_modalities")


def check_modalities(dataset: str, scenario: dict[str, Any], where: str) -> None:
    """Refuse a scenario that treats samples of several modalities as images, or the other way round."""
    if DATASETS[dataset].modalities:
        if scenario["protocol"] in OF_IMAGES:
            raise ConfigError(
                f"{where}: protocol {scenario['protocol']} changes images, the samples of {dataset} have several "
                "modalities: use another protocol"
            )
        return
    for key in KEYS:
        if key in scenario:
            raise ConfigError(
                f"{where}: {key} is about samples of several modalities, {dataset} has images: drop it"
            )


def check_method(method: dict[str, Any], scenario: dict[str, Any]) -> None:
    """Refuse training settings that need images on a scenario that has none."""
    modal = [name for name in scenario["datasets"] if DATASETS[name].modalities]
    if not modal:
        return
    where = f"method {method['id']} on scenario {scenario['id']}"
    train = method["train"]
    if train["augmentation"] != "none":
        raise ConfigError(
            f"{where}: augmentation {train['augmentation']} is for images, the samples of {modal[0]} have several "
            "modalities: set augmentation none"
        )
    if train["model"] != "mlp":
        raise ConfigError(
            f"{where}: model {train['model']} is for images, the samples of {modal[0]} have several modalities: "
            "set model mlp"
        )
