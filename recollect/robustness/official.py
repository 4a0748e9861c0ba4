"""The official archives of corrupted CIFAR-100: which of their files count, and are they what they should be?

Source: Hendrycks and Dietterich 2019. CIFAR-100-C: labels.npy (50000,) and per corruption uint8
(50000, 32, 32, 3), severity s in rows (s - 1) x 10000 to s x 10000. CIFAR-100-P: per perturbation uint8
(10000, L, 32, 32, 3), rows in the order of the test set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.robustness.npy import NpyFile, list_npy
from recollect.robustness.sets import CORRUPTIONS, SEVERITIES, Archive

LABELS = "labels"
CHECKED_ROWS = 200
LEAST_CORRELATION = 0.5


def find_archive(data_dir: Path, archive: Archive) -> Path | None:
    """The first place in data_dir where the archive is."""
    return next((data_dir / place for place in archive.places if (data_dir / place).exists()), None)


def read_archive(path: Path, kind: str, title: str, test_x: np.ndarray, test_y: np.ndarray) -> list[NpyFile]:
    """The image files of an official archive, labels first where it has them.

    Args:
        path: folder or .tar.
        kind: ``corruptions`` or ``perturbations``.
        title: of the archive, for messages.
        test_x, test_y: the test set, uint8 (N, C, H, W) and int64 (N,).

    Raises:
        CorruptData: no images of the right shape, no or other labels, or rows in another order.
    """
    files = list_npy(path)
    shape = (test_x.shape[0], *test_x.shape[2:], test_x.shape[1])
    if kind == CORRUPTIONS:
        wanted = (SEVERITIES * shape[0], *shape[1:])
        images = [f for f in files if f.name != LABELS and f.open().shape == wanted]
        return [_labels(path, files, title, test_y), *_some(images, path, title, wanted)]
    images = [f for f in files if _is_sequence(f.open(), shape)]
    _some(images, path, title, (shape[0], "frames", *shape[1:]))
    _check_rows(images[0], test_x)
    return images


def _some(images: list[NpyFile], path: Path, title: str, shape: tuple[object, ...]) -> list[NpyFile]:
    if not images:
        wanted = " x ".join(str(n) for n in shape)
        raise CorruptData(f"{path} has no .npy file of {wanted}: put the files of {title} right into it")
    return images


def _is_sequence(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    return array.ndim == 5 and array.shape[1] >= 2 and (array.shape[0], *array.shape[2:]) == shape


def _labels(path: Path, files: list[NpyFile], title: str, test_y: np.ndarray) -> NpyFile:
    found = [file for file in files if file.name == LABELS]
    if not found:
        raise CorruptData(f"{path} has no labels.npy: add that of {title}")
    labels, n = found[0].open(), len(test_y)
    if labels.shape != (SEVERITIES * n,) or labels.dtype.kind not in "iu":
        raise CorruptData(
            f"{path}: labels.npy holds {labels.dtype} {labels.shape}, {SEVERITIES * n} labels are expected"
        )
    if not np.array_equal(np.sort(labels[:n]), np.sort(test_y)):
        raise CorruptData(f"{path}: labels.npy does not have the test set's images per class: replace it")
    return found[0]


def _check_rows(file: NpyFile, test_x: np.ndarray) -> None:
    """Are the sequences in the order of the test set? Their middle frame is near the image itself."""
    frames = file.open()
    middle = frames[:CHECKED_ROWS, frames.shape[1] // 2].reshape(min(CHECKED_ROWS, len(frames)), -1)
    images = np.asarray(test_x[:CHECKED_ROWS]).transpose(0, 2, 3, 1).reshape(len(middle), -1)
    alike = np.mean([_correlation(a, b) for a, b in zip(middle, images, strict=True)])
    if not alike > LEAST_CORRELATION:
        raise CorruptData(
            f"{file.path}: the sequences of {file.name} do not show the prepared test images in their order "
            f"(mean correlation {alike:.2f}): use a copy of the test set in the official order"
        )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    x, y = (v.astype(float) - v.mean() for v in (a, b))
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else 1.0
