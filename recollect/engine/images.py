"""Images of one task, kept as they are stored and turned into float batches on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from recollect.engine.augment import Crops, augment, draw_crops
from recollect.engine.resample import resized_crops
from recollect.engine.stored import as_stored


@dataclass(frozen=True)
class Part:
    """Some rows of one image array.

    Attributes:
        array: (N, C, H, W), a tensor on the device, a memory-mapped array or a way of storing images
            (:mod:`recollect.engine.stored`); bytes, which become fractions of 255, or floating-point numbers,
            which stay as they are.
        rows: int64 (n,), which images of ``array`` belong here.
        labels: int64 (n,) on the device.
        task: task label of all of them.
        transform: ``{}``, ``{"permute": [...]}`` or ``{"rotate_degrees": a}``.
    """

    array: Any
    rows: np.ndarray
    labels: Tensor
    task: int
    transform: dict[str, Any] = field(default_factory=dict)


def rotation_grid(degrees: float, height: int, width: int, device: torch.device) -> Tensor:
    """Sampling grid (1, H, W, 2) that turns an image counter-clockwise about its centre."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [
            torch.stack([cos, -sin * height / width, 0 * cos]),
            torch.stack([sin * width / height, cos, 0 * cos]),
        ]
    )
    grid = torch.nn.functional.affine_grid(matrix[None], [1, 1, height, width], align_corners=False)
    return grid.float().to(device)


class _LoadedPart:
    """A part made ready for gathering on the device."""

    def __init__(self, part: Part, device: torch.device) -> None:
        self.stored = as_stored(part.array)
        self.rows = torch.from_numpy(np.ascontiguousarray(part.rows)).to(device)
        permutation = part.transform.get("permute")
        self.permutation = None if permutation is None else torch.tensor(permutation, device=device)
        degrees = part.transform.get("rotate_degrees", 0.0)
        height, width = self.stored.shape[-2:]
        self.size = (int(height), int(width))
        self.grid = rotation_grid(degrees, height, width, device) if degrees else None

    @property
    def is_changed(self) -> bool:
        """Whether the task changes its images."""
        return self.permutation is not None or self.grid is not None

    def gather(self, index: Tensor) -> Tensor:
        """Float images, of bytes in [0, 1], shape (len(index), C, H, W)."""
        x = self.stored.shown(self.rows[index])
        if self.permutation is not None:
            x = x.flatten(1).index_select(1, self.permutation).view_as(x)
        x = x.float().div_(255) if x.dtype == torch.uint8 else x.float()
        if self.grid is not None:
            grid = self.grid.expand(len(x), -1, -1, -1)
            x = torch.nn.functional.grid_sample(x, grid, align_corners=False)
        return x

    def sizes(self, index: Tensor) -> Tensor:
        """Height and width of the images that crops are cut from, int64 (len(index), 2)."""
        if self.is_changed:
            return torch.tensor(self.size).expand(len(index), 2)
        return self.stored.sizes(self.rows[index])

    def crop(self, index: Tensor, crops: Crops) -> Tensor:
        """Resized crops as float images: of the stored pixels or, where the task changes its images, of those."""
        x = self.gather(index) if self.is_changed else self.stored.source(self.rows[index])
        made = resized_crops(x, crops.boxes, self.size, flip=crops.flip)
        return made.div_(255) if x.dtype == torch.uint8 else made


class TaskImages(Dataset[tuple[Tensor, int]]):
    """The images of one or several tasks; a torch data set that also hands out whole batches.

    Attributes:
        labels: int64 (n,) on the device.
        task_labels: int64 (n,) on the device.
    """

    def __init__(self, parts: Sequence[Part], device: torch.device) -> None:
        self.parts = list(parts)
        self.device = device
        self.labels = torch.cat([p.labels for p in self.parts]) if parts else torch.zeros(0, dtype=torch.long)
        counts = [len(p.rows) for p in self.parts]
        self.task_labels = torch.repeat_interleave(
            torch.tensor([p.task for p in self.parts], dtype=torch.long),
            torch.tensor(counts, dtype=torch.long),
        ).to(device)
        self.starts = torch.tensor(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), device=device)
        self._loaded = [_LoadedPart(p, device) for p in self.parts]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def layout(self) -> Any:
        """Where each modality lies in a row (:class:`~recollect.multimodal.samples.Layout`); None for images."""
        return getattr(self._loaded[0].stored, "layout", None) if self._loaded else None

    def gather(self, index: Tensor) -> Tensor:
        """Float images, of bytes in [0, 1], for positions ``index`` (int64, on the device)."""
        return self._by_part(index, lambda loaded, own, _: loaded.gather(own))

    def augmented(self, index: Tensor, kind: str, generator: torch.Generator) -> Tensor:
        """Float images for positions ``index``, changed at random.

        Args:
            index: int64, on the device.
            kind: ``none``, ``crop_flip`` (of the images that :meth:`gather` gives) or ``resized_crop_flip``
                (cut out of the images as they are stored).
            generator: CPU generator; the draws depend on the order of ``index`` alone.
        """
        if kind == "none":
            return self.gather(index)
        if kind != "resized_crop_flip":
            return augment(self.gather(index), kind, generator)
        sizes = self._by_part(index, lambda loaded, own, _: loaded.sizes(own))
        crops = draw_crops(sizes, generator)
        return self._by_part(index, lambda loaded, own, places: loaded.crop(own, crops.take(places)))

    def _by_part(self, index: Tensor, read: Callable[[_LoadedPart, Tensor, Tensor], Tensor]) -> Tensor:
        """``read(part, positions within it, places in index)`` of every part, in the order of ``index``."""
        if len(self._loaded) == 1 or not len(index):
            return read(self._loaded[0], index, torch.arange(len(index), device=index.device))
        owner = torch.bucketize(index, self.starts[1:], right=True)
        pieces, places = [], []
        for number, loaded in enumerate(self._loaded):
            place = torch.nonzero(owner == number).flatten()
            if len(place):
                pieces.append(read(loaded, index[place] - self.starts[number], place))
                places.append(place)
        joined = torch.cat(pieces)
        return joined[torch.argsort(torch.cat(places)).to(joined.device)]

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        index = torch.tensor([position], device=self.device)
        return self.gather(index)[0], int(self.labels[position])


class PlainImages:
    """Any Avalanche data set seen as images, read sample by sample; what is not ours has no ready batches."""

    def __init__(self, dataset: Any, device: torch.device) -> None:
        self.dataset, self.device = dataset.eval(), device
        self.labels = torch.as_tensor([int(y) for y in dataset.targets], device=device)
        tasks = getattr(dataset, "targets_task_labels", [0] * len(self.labels))
        self.task_labels = torch.as_tensor([int(t) for t in tasks], device=device)

    def __len__(self) -> int:
        return len(self.labels)

    def gather(self, index: Tensor) -> Tensor:
        """Images (len(index), C, H, W) as the data set gives them."""
        return torch.stack([self.dataset[i][0] for i in index.tolist()]).to(self.device)


def ready_images(dataset: Any, device: torch.device) -> Any:
    """The images of an Avalanche data set: ours on the device, anybody else's read one by one."""
    images = getattr(dataset, "ready_images", None)
    return PlainImages(dataset, device) if images is None else images


def merge(images: Sequence[TaskImages]) -> TaskImages:
    """The union of several tasks' images; nothing is copied."""
    return TaskImages([part for one in images for part in one.parts], images[0].device)
