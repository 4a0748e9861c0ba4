"""Whether the frozen transformers of an encoder fit a scenario. Reads no weights and imports no torch."""

from __future__ import annotations

import math
from typing import Any

from recollect.config.schema import ConfigError
from recollect.datasets import DATASETS
from recollect.errors import RecollectError
from recollect.layout import MODEL_MODULES
from recollect.multimodal.registry import expected_shape, get_tower_spec, tower_names
from recollect.pretrained.registry import BackboneSpec
from recollect.scenarios.protocols import order_classes


def check_towers(train: dict[str, Any], scenario: dict[str, Any], owner: str) -> None:
    """Refuse transformers that do not fit the samples, or were trained on labels that are to be learned.

    Args:
        train: training settings of a method.
        scenario: resolved.
        owner: who uses them, for the message.
    """
    where = f"{owner} on scenario {scenario['id']}"
    if train["model"] not in MODEL_MODULES:
        raise ConfigError(f"{where}: mm_towers mean nothing to model {train['model']}: set model: mm_encoder")
    modalities = {m.name: m.shape for d in scenario["datasets"] for m in DATASETS[d].modalities}
    if not modalities:
        raise ConfigError(f"{where}: model mm_encoder reads samples of several modalities, this has images")
    try:
        names = tower_names(train["mm_towers"])
        specs = {modality: get_tower_spec(name) for modality, name in names.items()}
    except (ValueError, RecollectError) as error:
        raise ConfigError(f"{where}: {error}") from None
    if set(names) != set(modalities):
        raise ConfigError(
            f"{where}: mm_towers names transformers for {', '.join(names) or 'nothing'}, the samples have "
            f"{', '.join(modalities)}: name one for every modality, as modality=transformer"
        )
    if not 1 <= train["mm_top_k"] <= train["mm_experts"]:
        raise ConfigError(
            f"{where}: mm_top_k is {train['mm_top_k']} and there are {train['mm_experts']} experts: choose it "
            "between 1 and mm_experts"
        )
    for modality, spec in specs.items():
        _check_fit(spec, modality, modalities[modality], where)
        _check_classes(spec.pretraining, scenario, f"{where}: transformer {spec.id}")


def check_domains(scenario: dict[str, Any], where: str) -> None:
    """Refuse a scenario whose domains cannot be made: other than one data set, no such modality, no fit."""
    if scenario["protocol"] != "clustered-domains":
        return
    asked = scenario["domains"]
    if len(scenario["datasets"]) > 1:
        raise ConfigError(f"{where}: protocol clustered-domains clusters the samples of one data set: name one")
    (dataset,) = scenario["datasets"]
    modalities = {m.name: m.shape for m in DATASETS[dataset].modalities}
    if asked["modality"] not in modalities:
        hint = f"choose one of {', '.join(modalities)}" if modalities else "they are images, use another protocol"
        raise ConfigError(f"{where}: samples of {dataset} have no modality {asked['modality']!r}: {hint}")
    try:
        spec = get_tower_spec(asked["tower"])
    except RecollectError as error:
        raise ConfigError(f"{where}: {error}") from None
    _check_fit(spec, asked["modality"], modalities[asked["modality"]], where)


def _check_fit(spec: BackboneSpec, modality: str, shape: tuple[int, ...], where: str) -> None:
    wanted = expected_shape(spec)
    if wanted is not None and math.prod(shape) % math.prod(wanted):
        raise ConfigError(f"{where}: transformer {spec.id} takes {wanted}, modality {modality} has {shape}")


def _check_classes(recipe: Any, scenario: dict[str, Any], where: str) -> None:
    if recipe is None or not recipe.classes or recipe.dataset not in scenario["datasets"]:
        return
    order = order_classes(DATASETS[recipe.dataset].n_classes, scenario.get("class_order", "fixed"), seed=0)
    shared = sorted(set(order.tolist()) & set(recipe.classes))
    if shared:
        raise ConfigError(f"{where} was trained on classes {shared[:5]} of {recipe.dataset}, which come here")
