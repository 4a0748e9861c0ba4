"""Whether generators can be judged on a scenario: what the reference step refuses, known before any training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recollect.config.schema import ConfigError, suggestion

TRANSFORMING = ("permuted-pixels", "rotated")
"""Protocols whose tasks show the same images changed."""


def check_extractor(scenario: Mapping[str, Any], where: str, generator: str) -> None:
    """Check that the extractor of a scenario exists and takes its images.

    Args:
        scenario: resolved.
        where: its name and file, for messages.
        generator: a method that is judged with the extractor.

    Raises:
        ConfigError: none, an unknown one, one for other images, or tasks whose images are changed.
    """
    from recollect.datasets import DATASETS
    from recollect.extractors import EXTRACTORS

    kinds = {(DATASETS[dataset].input_shape, DATASETS[dataset].dtype) for dataset in scenario["datasets"]}
    fitting = [e.id for e in EXTRACTORS.values() if all(e.takes_stored(*kind) for kind in kinds)]
    choice = f"one of {', '.join(fitting)}" if fitting else "but none takes its images"
    name = scenario.get("extractor")
    if name is None:
        raise ConfigError(f"{where} names no extractor, which {generator} is judged with: add extractor, {choice}")
    if name not in EXTRACTORS:
        raise ConfigError(f"unknown extractor {name!r} of {where}: {suggestion(name, EXTRACTORS)}")
    if name not in fitting:
        images = " and ".join(f"{dtype} images of shape {shape}" for shape, dtype in sorted(kinds))
        raise ConfigError(f"extractor {name} of {where} does not take {images}: choose another, {choice}")
    if scenario["protocol"] in TRANSFORMING:
        raise ConfigError(
            f"protocol {scenario['protocol']} of {where} changes the images of its tasks, on which {generator} "
            "cannot be judged: take one of the two out of the suite"
        )
