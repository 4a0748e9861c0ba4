"""Whether a pre-trained backbone may be used on a scenario. Reads no weights and imports no torch."""

from __future__ import annotations

from typing import Any

from recollect.config.schema import ConfigError
from recollect.datasets import DATASETS
from recollect.errors import RecollectError
from recollect.pretrained.registry import get_backbone_spec
from recollect.scenarios.protocols import order_classes


def check_backbone(name: str, scenario: dict[str, Any], owner: str) -> None:
    """Refuse a backbone that was trained on classes of the scenario, or that takes other images.

    Args:
        name: of the backbone.
        scenario: resolved.
        owner: who uses it, for the message.
    """
    try:
        spec = get_backbone_spec(name)
    except RecollectError as error:
        raise ConfigError(f"{owner}: {error}") from None
    where = f"{owner} on scenario {scenario['id']}"
    if scenario["protocol"] != "class-incremental":
        raise ConfigError(
            f"{where}: methods on pre-trained backbones need protocol class-incremental, this is "
            f"{scenario['protocol']}"
        )
    shapes = {DATASETS[d].input_shape for d in scenario["datasets"]}
    if spec.embedded and any(shape[0] not in (1, spec.size["channels"]) for shape in shapes):
        raise ConfigError(
            f"{where}: backbone {name} takes {spec.size['channels']} channels, the images are {sorted(shapes)}: "
            "choose another backbone"
        )
    recipe = spec.pretraining
    if recipe is None or recipe.dataset not in scenario["datasets"]:
        return
    order = order_classes(DATASETS[recipe.dataset].n_classes, scenario.get("class_order", "fixed"), seed=0)
    shared = sorted(set(order.tolist()) & set(recipe.classes))
    if shared:
        raise ConfigError(
            f"{where}: backbone {name} was trained on classes {shared[:5]} of {recipe.dataset}, which are to be "
            "learned here: give class_order other classes, or use another backbone"
        )
