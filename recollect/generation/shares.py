"""How a replay batch is divided among old tasks."""

from __future__ import annotations


def replay_counts(batch_size: int, n_old: int, share: float, most: int = 3) -> list[int]:
    """Replayed rows per old task: int(batch * min(n_old, most) * share), dealt equally, the first get the rest."""
    total = int(batch_size * min(n_old, most) * share)
    return [total // n_old + (i < total % n_old) for i in range(n_old)]
