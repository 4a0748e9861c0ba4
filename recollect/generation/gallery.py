"""What pictures of a generative run show: its models sampled, and evaluation images through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from recollect.engine.images import ready_images
from recollect.errors import RecollectError
from recollect.figures.latent_space import latent_space
from recollect.figures.sheet import About, per_line, reconstruction_sheet, sample_sheet, shown_tasks
from recollect.generation.encoding import aligned, reconstruct
from recollect.generation.evaluation import stream_seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_PER_TASK = 200
OWN_ENCODER = "Each task is encoded by the encoder as it was after that task."


class Models(Protocol):
    """Task number to the strategy as it was after that task; ``tasks`` are those that were stored."""

    tasks: list[int]

    def __getitem__(self, task: int) -> Any: ...


class Gallery:
    """Models of a run, and the images on which its tasks are evaluated.

    Args:
        models: after every task, or after the last one only; that one must be there.
        stream: experiences with the evaluation images.
        about: title, number of tasks, range of values.
        seed: of the run.
        device: of the models.
    """

    def __init__(
        self, models: Models, stream: Sequence[Any], about: About, seed: int, device: torch.device
    ) -> None:
        self.models, self.stream, self.about, self.seed, self.device = models, stream, about, seed, device
        self.last = models[about.n_tasks - 1]
        self.only_last = models.tasks == [about.n_tasks - 1]
        self.shown = shown_tasks(about.n_tasks)

    def images(self, task: int, most: int) -> tuple[Tensor, np.ndarray]:
        """At most so many evaluation images of a task (n, C, H, W), evenly spread, and their labels (n,)."""
        found = ready_images(self.stream[task].dataset, self.device)
        index = torch.linspace(0, len(found) - 1, min(most, len(found))).round().long().to(self.device)
        return found.gather(index), found.labels[index].cpu().numpy()

    # Samples -------------------------------------------------------------------------------------

    def samples(self) -> Figure:
        """Samples of every task seen, after every task; of all tasks where there is one model only."""
        real = {task: _array(self.images(task, self.per_cell)[0]) for task in self.shown}
        made = {
            (after, task): self._samples(after, task)
            for after in self.shown
            for task in self.shown
            if after in self.models.tasks and (task <= after or self.only_last)
        }
        return sample_sheet(real, made, self.about)

    @property
    def per_cell(self) -> int:
        """Images of one task after one task."""
        return per_line(len(self.shown)) ** 2

    def _samples(self, after: int, task: int) -> np.ndarray:
        return _array(self.models[after].sample(self.per_cell, task, self._noise("samples", task)))

    def _noise(self, kind: str, task: int) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed("pictures", kind, self.seed, task))

    # Encoded images ------------------------------------------------------------------------------

    def reconstructions(self) -> Figure:
        """Evaluation images with their reconstructions just after their task and after the last one.

        Raises:
            RecollectError: the models have no encoder.
        """
        rows: dict[str, dict[int, np.ndarray]] = {"data": {}, "when\nlearned": {}, "at the\nend": {}}
        for task in self.shown:
            x, _ = self.images(task, per_line(len(self.shown)) + 1)
            rows["data"][task] = _array(x)
            rows["at the\nend"][task] = _array(reconstruct(self.encoder(task), self.last, x, task))
            if not self.only_last:
                model = self.models[task]
                rows["when\nlearned"][task] = _array(reconstruct(model, model, x, task))
        caption = (
            "First row: evaluation images. Others: their reconstructions just after their task and after the last "
            f"one. {self._encoder_words}"
        )
        return reconstruction_sheet({name: row for name, row in rows.items() if row}, self.about, caption)

    def latents(self) -> Figure:
        """Evaluation images in the space that tasks share, as it is after the last task.

        Raises:
            RecollectError: the models have no encoder.
        """
        parts = []
        for task in range(self.about.n_tasks):
            x, labels = self.images(task, POINTS_PER_TASK)
            z = _array(aligned(self.encoder(task), self.last, x, task, self._noise("latents", task)))
            parts.append((z, np.full(len(z), task), labels))
        z, tasks, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
        caption = (
            f"At most {POINTS_PER_TASK} evaluation images of a task, latents drawn from their posterior, in the "
            f"{z.shape[1]} dimensions that tasks share, as these are after the last task. {self._encoder_words}"
        )
        return latent_space(z, tasks, classes, self.about.title, caption)

    def encoder(self, task: int) -> Any:
        """The model whose encoder knows a task after the last one.

        Raises:
            RecollectError: the models have no encoder.
        """
        if not hasattr(self.last, "encoder"):
            raise RecollectError(f"{type(self.last).__name__} has no encoder: draw its samples only")
        return self.models[task] if self.last.encoder_is_local and not self.only_last else self.last

    @property
    def _encoder_words(self) -> str:
        return OWN_ENCODER if self.last.encoder_is_local and not self.only_last else ""


def _array(images: Tensor) -> np.ndarray:
    return images.detach().cpu().double().numpy()
