"""The plugin callbacks of the inner loop, looked up once per experience instead of once per step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.templates.base_sgd import PeriodicEval

EVENTS = (
    "before_training_iteration",
    "before_forward",
    "after_forward",
    "before_backward",
    "after_backward",
    "before_update",
    "after_update",
    "after_training_iteration",
)

Hook = Callable[..., Any]


def _is_idle(plugin: Any) -> bool:
    """Whether a plugin would do nothing in the inner loop: it measures nothing or never evaluates."""
    if isinstance(plugin, EvaluationPlugin):
        return not plugin.metrics and not plugin.loggers
    return isinstance(plugin, PeriodicEval) and plugin.eval_every < 0


def _implements(plugin: Any, event: str) -> bool:
    method = getattr(type(plugin), event, None)
    if method is None:  # EvaluationPlugin answers through __getattribute__
        return hasattr(plugin, event)
    return not method.__module__.startswith("avalanche.core")


def inner_hooks(plugins: Sequence[Any]) -> dict[str, list[Hook]]:
    """For every inner-loop event the bound callbacks that do something, in plugin order."""
    active = [plugin for plugin in plugins if not _is_idle(plugin)]
    return {event: [getattr(p, event) for p in active if _implements(p, event)] for event in EVENTS}
