"""How the layers of transformers of different depth are spread over common blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from recollect.errors import RecollectError

Surplus = Literal["last", "first"]


def spread(depth: int, n_blocks: int, surplus: Surplus = "last") -> list[range]:
    """Consecutive layers of every block: depth // n_blocks or one more each.

    Args:
        depth: layers of one transformer.
        n_blocks: at most ``depth``.
        surplus: which blocks take the depth % n_blocks layers that are left over; a project decision.
    """
    if not 1 <= n_blocks <= depth:
        raise RecollectError(f"{depth} layers cannot be spread over {n_blocks} blocks: choose 1 to {depth} blocks")
    share, left = divmod(depth, n_blocks)
    sizes = [share + (b >= n_blocks - left if surplus == "last" else b < left) for b in range(n_blocks)]
    starts = [sum(sizes[:b]) for b in range(n_blocks)]
    return [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]


def common_blocks(depths: Mapping[str, int], surplus: Surplus = "last") -> dict[str, list[range]]:
    """Layers of every block by modality; as many blocks as the shallowest transformer has layers."""
    n_blocks = min(depths.values())
    return {name: spread(depth, n_blocks, surplus) for name, depth in depths.items()}
