"""How a stored classifier answers on corrupted copies of its test images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from recollect.datasets import Prepared
from recollect.engine.images import Part, TaskImages
from recollect.engine.outputs import OutputMask
from recollect.engine.predict import predict
from recollect.metrics.robustness import error_rate, flip_rate, frame_accuracy
from recollect.robustness.npy import NpyFile
from recollect.robustness.sets import SEVERITIES
from recollect.steps.train import stored_images

FRAMES_AT_ONCE = 20_000


class Classifier:
    """A strategy as it was after its last task, and the tasks that its classes came in.

    Args:
        strategy: with its stored model restored.
        outputs: which classes may answer.
        class_tasks: int64 (n_classes,), the task of every class; -1 for those of no task.
        data: of the scenario, says how images are shown.
        device: where it answers.
    """

    def __init__(
        self, strategy: Any, outputs: OutputMask, class_tasks: np.ndarray, data: Prepared, device: torch.device
    ) -> None:
        self.strategy, self.outputs, self.class_tasks = strategy, outputs, class_tasks
        self.data, self.device = data, device

    def known(self, labels: np.ndarray) -> np.ndarray:
        """Positions of the images whose class belongs to a task."""
        return np.flatnonzero(self.class_tasks[labels] >= 0)

    def answers(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Answers int16 (N,) on images uint8 (N, H, W, C); all labels (N,) must be of known classes."""
        x = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        stored = stored_images(x, self.data, self.device)
        tasks = self.class_tasks[labels]
        parts = [np.flatnonzero(tasks == task) for task in np.unique(tasks)]
        y = torch.from_numpy(labels.astype(np.int64)).to(self.device)
        whole = TaskImages([Part(stored, rows, y[rows], int(tasks[rows[0]])) for rows in parts], self.device)
        found = np.empty(len(labels), dtype=np.int16)
        found[np.concatenate(parts)] = predict(self.strategy, whole, self.outputs, int(tasks[0]))
        return found


def corruption_errors(model: Classifier, file: NpyFile, labels: np.ndarray) -> list[float]:
    """Error at every severity of one corruption; labels (5 N,) of all its rows."""
    images, n = file.open(), len(labels) // SEVERITIES
    errors = []
    for start in range(0, SEVERITIES * n, n):
        rows = start + model.known(labels[start : start + n])
        errors.append(error_rate(model.answers(images[rows], labels[rows]), labels[rows]))
    return errors


def perturbation_scores(model: Classifier, file: NpyFile, labels: np.ndarray) -> tuple[float, float]:
    """(frame accuracy, flip rate) on the sequences of one perturbation; labels (N,) of all of them."""
    frames = file.open()
    rows = model.known(labels)
    found = np.concatenate(list(_sequence_answers(model, frames, labels, rows)))
    return frame_accuracy(found, labels[rows]), flip_rate(found)


def _sequence_answers(
    model: Classifier, frames: np.ndarray, labels: np.ndarray, rows: np.ndarray
) -> Iterator[np.ndarray]:
    length = frames.shape[1]
    block = max(1, FRAMES_AT_ONCE // length)
    for start in range(0, len(rows), block):
        mine = rows[start : start + block]
        images = frames[mine].reshape(-1, *frames.shape[2:])
        yield model.answers(images, np.repeat(labels[mine], length)).reshape(len(mine), length)
