"""Samples that could not be read, and modalities that samples lack: what a split makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recollect.scenarios.protocols import SplitError, TaskIndices

TOLD = 3


@dataclass(frozen=True)
class Presence:
    """Who has which modality.

    Attributes:
        modalities: their names.
        train, test: bool (N, M); a sample without any could not be read.
        unreadable: names of those samples, for messages.
    """

    modalities: tuple[str, ...]
    train: np.ndarray
    test: np.ndarray
    unreadable: tuple[str, ...] = ()

    @classmethod
    def join(cls, parts: Sequence[Presence]) -> Presence:
        """Data sets one after another.

        Raises:
            SplitError: they have other modalities.
        """
        if len({part.modalities for part in parts}) > 1:
            raise SplitError("the data sets have different modalities: use sets of the same ones")
        names = tuple(name for part in parts for name in part.unreadable)
        train, test = (np.concatenate(halves) for halves in ([p.train for p in parts], [p.test for p in parts]))
        return cls(parts[0].modalities, train, test, names)

    def evaluated_on_training(self) -> Presence:
        """The same for scenarios whose test rows count in the training arrays."""
        return replace(self, test=self.train)


def leave_out_unreadable(
    tasks: Sequence[TaskIndices], presence: Presence, allowed: bool
) -> tuple[list[TaskIndices], dict[str, int]]:
    """The tasks without samples that could not be read, and how many different ones are left out of each half.

    Raises:
        SplitError: there are some, and the scenario does not allow leaving them out.
    """
    gone = {"train": presence.train.sum(axis=1) == 0, "test": presence.test.sum(axis=1) == 0}
    kept, left_out = [], {half: np.zeros_like(rows) for half, rows in gone.items()}
    for task in tasks:
        halves = {half: getattr(task, half) for half in gone}
        for half, rows in halves.items():
            left_out[half][rows[gone[half][rows]]] = True
        kept.append(replace(task, **{half: rows[~gone[half][rows]] for half, rows in halves.items()}))
    counts = {half: int(rows.sum()) for half, rows in left_out.items()}
    if any(counts.values()) and not allowed:
        named = ", ".join(presence.unreadable[:TOLD]) + (", ..." if len(presence.unreadable) > TOLD else "")
        raise SplitError(
            f"{counts['train']} training and {counts['test']} test samples could not be decoded ({named}): "
            "replace those files, delete the prepared data set and run again, or leave them out and have them "
            "counted with skip_unreadable: true in the scenario"
        )
    return kept, counts


def check_modalities(tasks: Sequence[TaskIndices], presence: Presence, allowed: bool) -> None:
    """Refuse a task in which no sample has some modality, unless the scenario allows it.

    Raises:
        SplitError: names the task, the part and the modality.
    """
    for number, task in enumerate(tasks):
        for part, rows, present in (("training", task.train, presence.train), ("test", task.test, presence.test)):
            lacking = [
                m for m, any_has in zip(presence.modalities, present[rows].any(axis=0), strict=True) if not any_has
            ]
            if len(rows) and lacking and not allowed:
                raise SplitError(
                    f"no {part} sample of task {number} has modality {', '.join(lacking)}: use data that have it, "
                    "or allow such tasks with absent_modalities: true in the scenario"
                )
