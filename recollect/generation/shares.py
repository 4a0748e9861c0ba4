"""How a replay batch is divided among old tasks."""

from __future__ import annotations


def replay_counts(batch_size: int, n_old: int, share: float, *, most: int = 3, equal: bool = False) -> list[int]:
    """Replayed rows per old task.

    int(batch_size * min(n_old, most) * share) rows in all, dealt equally; what is left over goes to the first
    tasks, or, with ``equal``, to none.
    """
    total = int(batch_size * min(n_old, most) * share)
    return [total // n_old + (not equal and i < total % n_old) for i in range(n_old)]
