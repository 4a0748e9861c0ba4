"""What a suite runs where, as its steps are told; read while planning, so nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def pairs(suite: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(scenario, method) of all that is run: every method on every scenario, unless the suite says otherwise."""
    if "pairs" in suite:
        return [(scenario, method) for scenario, method in suite["pairs"]]
    return [(scenario, method) for scenario in suite["scenarios"] for method in suite["methods"]]


def expected(suite: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """(scenario, method, seed) of every run that the suite asks for."""
    return [(scenario, method, seed) for scenario, method in pairs(suite) for seed in suite["seeds"]]
