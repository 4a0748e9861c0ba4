"""Runs that are killed at chosen steps and started again, and what they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recollect.engine.record import PREDICTIONS
from recollect.engine.strategy import Strategy


class Killed(BaseException):
    """As a signal would: nothing catches it."""


def final(run: Any, record: dict[str, Any]) -> dict[str, Any]:
    """All that a run leaves behind but its cost."""
    cost = {"wall_s", "device_s", "it_per_s", "ram_mb", "vram_mb", "resumed", "predictions_sha256", "schema"}
    kept = {key: value for key, value in record.items() if key not in cost}
    with np.load(run.folder / PREDICTIONS) as stored:
        predictions = {name: stored[name] for name in stored.files}
    return {"record": kept, "predictions": predictions, "state": run.strategy.state_dict()}


def attempt(make: Callable[[Path], Any], folder: Path, places: Sequence[int]) -> tuple[dict[str, Any], int]:
    """Run into a kill after the given steps of each attempt, then to the end; also how many steps that took."""
    step = Strategy.optimizer_step
    for place in [*places, None]:
        count = 0

        def counting(self: Strategy, place: int | None = place) -> None:
            nonlocal count
            step(self)
            count += 1
            if count == place:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Strategy, "optimizer_step", counting)
            run = make(folder)
            try:
                record = run.run()
            except Killed:
                continue
    return final(run, record), count
