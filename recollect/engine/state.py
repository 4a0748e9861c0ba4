"""Training state as nested dictionaries of tensors and plain values: saved, loaded, measured."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.plugins.clock import Clock
from avalanche.training.templates.base_sgd import PeriodicEval
from torch import Tensor

from recollect.files import write_bytes

_MAGIC = b"recollect-state-1\n"
STATELESS = (EvaluationPlugin, Clock, PeriodicEval)
"""Avalanche's own plugins whose state is kept elsewhere or does not influence training."""


def to_device(value: Any, device: torch.device) -> Any:
    """A nested value with every tensor on ``device``."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: to_device(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_device(item, device) for item in value)
    return value


def tensor_bytes(value: Any, skip: Sequence[str] = ("optimizer",)) -> int:
    """Bytes of all tensors in a nested value; dictionary keys in ``skip`` are left out."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(tensor_bytes(item, skip) for key, item in value.items() if key not in skip)
    if isinstance(value, list | tuple):
        return sum(tensor_bytes(item, skip) for item in value)
    return 0


def resumable(plugins: Sequence[Any]) -> bool:
    """Whether every plugin that could hold state can give it away."""
    return all(isinstance(p, STATELESS) or hasattr(p, "state_dict") for p in plugins)


def plugin_states(plugins: Sequence[Any]) -> dict[str, Any]:
    """State of the plugins that have one, by position and class name."""
    return {f"{i} {type(p).__name__}": p.state_dict() for i, p in enumerate(plugins) if hasattr(p, "state_dict")}


def load_plugins(plugins: Sequence[Any], states: dict[str, Any], strategy: Any) -> None:
    """Put back what :func:`plugin_states` returned."""
    for i, plugin in enumerate(plugins):
        name = f"{i} {type(plugin).__name__}"
        if name in states:
            plugin.load_state_dict(states[name], strategy)


def save_state(path: Path, stamp: str, state: dict[str, Any]) -> None:
    """Write a state file atomically: magic, CRC-32 of the rest, stamp, tensors.

    Args:
        path: the file.
        stamp: what the state belongs to (hash of config, code, split and data).
        state: tensors and plain values, nested; loaded with ``weights_only=True``.
    """
    buffer = io.BytesIO()
    torch.save({"stamp": stamp, "state": state}, buffer)
    body = buffer.getvalue()
    write_bytes(path, _MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)


def load_state(path: Path, stamp: str) -> tuple[dict[str, Any] | None, str]:
    """Read a state file.

    Returns:
        (state, "") or (None, reason): a missing, damaged or foreign state is no error, the run starts anew.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"{path} cannot be read ({error.strerror}): this run starts from its beginning"
    head, body = content[: len(_MAGIC) + 4], content[len(_MAGIC) + 4 :]
    if head != _MAGIC + zlib.crc32(body).to_bytes(4, "big"):
        return None, f"{path} is damaged or incomplete: this run starts from its beginning"
    try:
        stored = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        foreign = stored["stamp"] != stamp
    except Exception:  # a pickle that asks for more than tensors is refused in several ways, none of them runs it
        return None, f"{path} holds more than tensors, it was not opened: this run starts from its beginning"
    if foreign:
        return (
            None,
            f"{path} belongs to another configuration, code or split: this run starts from its beginning",
        )
    return stored["state"], ""
