"""Whether a suite's robustness evaluation can be done: what its steps refuse, known before any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recollect.config.schema import ConfigError, origin, suggestion
from recollect.robustness.sets import SETS

PROTOCOLS = ("class-incremental", "task-incremental")
"""Those in which a class belongs to one task, so that any image of it can be answered."""


def check_robustness(
    config: Mapping[str, Any], files: Sequence[Path], scenario: Callable[[str], Mapping[str, Any]],
    makes: Callable[[str], str],
) -> None:  # fmt: skip
    """Check the ``robustness`` of a suite, if it has one.

    Args:
        config: the suite.
        files: where it was read from.
        scenario, makes: of a name.

    Raises:
        ConfigError: an unknown set or reference, no classifier, or a scenario whose models cannot be judged.
    """
    asked = config.get("robustness")
    if not asked:
        return
    where = origin(["robustness", "set"], files)
    if asked["set"] not in SETS:
        raise ConfigError(f"robustness.set = {asked['set']!r} in {where}: {suggestion(asked['set'], SETS)}")
    methods = judged_methods(config["methods"], makes)
    if not methods:
        raise ConfigError(f"robustness in {where} judges classifiers, the suite has none: add one or drop it")
    if asked.get("reference") not in (None, *methods):
        hint = suggestion(asked["reference"], methods)
        raise ConfigError(f"robustness.reference = {asked['reference']!r} in {where}: {hint}")
    for name in dict.fromkeys(scenario for scenario, method in config["pairs"] if method in methods):
        problem = _problem(scenario(name), SETS[asked["set"]].fits)
        if problem:
            raise ConfigError(f"robustness in {where} cannot be had on scenario {name}: {problem}")


def _problem(scenario: Mapping[str, Any], fits: Sequence[str]) -> str:
    """What stands in the way, with what to do; empty if nothing does."""
    if len(scenario["datasets"]) != 1 or scenario["datasets"][0] not in fits:
        found, wanted = " and ".join(scenario["datasets"]), " or ".join(fits)
        return f"its images are those of {found}, the set fits {wanted}: choose another set"
    if scenario["protocol"] not in PROTOCOLS:
        return f"its protocol is {scenario['protocol']}: use {' or '.join(PROTOCOLS)}"
    if scenario.get("evaluate_on", "test") != "test":
        return "it does not evaluate on test images: drop evaluate_on"
    if not scenario.get("store_model"):
        return "its runs store no models: add store_model: true to it in config/scenarios.yaml"
    return ""


def judged_methods(methods: Sequence[str], makes: Callable[[str], str]) -> list[str]:
    """Those of a suite's methods whose models are judged."""
    return [name for name in methods if makes(name) == "answers"]
