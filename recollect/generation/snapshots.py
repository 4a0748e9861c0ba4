"""Networks as flat, named tensors, and frozen copies of them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TypeVar

from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def frozen(network: Net) -> Net:
    """A copy that never changes."""
    return deepcopy(network).eval().requires_grad_(False)


def pack(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """The tensors of several networks under ``<name>.<tensor>``."""
    return {f"{name}.{key}": value for name, net in networks.items() for key, value in net.state_dict().items()}


def unpack(tensors: Mapping[str, Tensor], networks: Mapping[str, nn.Module]) -> None:
    """Put back what :func:`pack` returned; other tensors are ignored, missing ones are a KeyError of torch's."""
    for name, net in networks.items():
        own = {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}
        net.load_state_dict(own)
