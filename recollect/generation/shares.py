"""How a replay batch is divided among old tasks."""

from __future__ import annotations


def replay_counts(
    batch_size: int, n_old: int, share: float, *, most: int = 3, equal: bool = False, among: int | None = None
) -> list[int]:
    """Replayed rows per old task, or per old class where there are ``among`` classes in the old tasks.

    int(batch_size * min(n_old, most) * share) rows in all, dealt equally; what is left over goes to the first
    ones, or, with ``equal``, to none.
    """
    total, takers = int(batch_size * min(n_old, most) * share), among or n_old
    return [total // takers + (not equal and i < total % takers) for i in range(takers)]
