"""The models that a generative run stored, loaded when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from recollect.engine.building import build_strategy
from recollect.engine.outputs import OutputMask
from recollect.engine.snapshots import load_snapshot, snapshot_tasks
from recollect.steps.evaluate import REDO
from recollect.steps.train import LoadedData


class StoredModels:
    """Task number to the strategy as it was after that task.

    Args:
        record: of the run.
        folder: of the run.
        manifest: its split.
        data: of its scenario.
        device: where the models are.
    """

    def __init__(
        self, record: dict[str, Any], folder: Path, manifest: dict[str, Any], data: LoadedData,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.record, self.folder, self.data, self.device = record, folder, data, device
        self.n_classes = manifest["n_classes"]
        self.tasks = sorted(snapshot_tasks(record["snapshots"]))
        self._loaded: dict[int, Any] = {}

    def __contains__(self, task: int) -> bool:
        return task in self.tasks

    def __getitem__(self, task: int) -> Any:
        """The strategy after ``task``.

        Raises:
            RecollectError: the snapshot is missing or not the one that the run recorded.
        """
        if task not in self._loaded:
            self._loaded[task] = self._load(task)
        return self._loaded[task]

    def _load(self, task: int) -> Any:
        record, data = self.record, self.data
        strategy = build_strategy(
            record["config"]["method"], OutputMask(self.n_classes, "all", self.device),
            input_shape=data.input_shape, n_tasks=record["n_tasks"], value_range=data.value_range,
            device=self.device, seed=record["seed"], layout=data.layout, bytes_suffice=data.bytes_suffice,
        )  # fmt: skip
        strategy.model.to(self.device)
        strategy.load_snapshot(load_snapshot(self.folder, task, record["snapshots"], REDO))
        return strategy
