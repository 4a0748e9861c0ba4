"""Stanford Cars, in the official layout that torchvision reads, or in folders of classes.

Source: Krause, Stark, Deng, Fei-Fei, "3D Object Representations for Fine-Grained Categorization", 2013.
cars_train/, cars_test/, devkit/cars_train_annos.mat and cars_test_annos_withlabels.mat; classes 1-196 become
0-195. Images are stored as those of the other photographs, see `recollect.datasets.class_folders`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from recollect.datasets.class_folders import Row, load_class_folders, photo_part
from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import locate, reading
from recollect.datasets.spec import Decoded, Part

N_CLASSES = 196
ARCHIVE = "stanford_cars"
PLACES = ("stanford_cars", "cars", "stanford_cars.zip", "cars.zip")
HALVES = {
    "train": ("cars_train", "devkit/cars_train_annos.mat"),
    "test": ("cars_test", "cars_test_annos_withlabels.mat"),
}


def load_cars(data_dir: Path) -> Decoded:
    """Read Stanford Cars: 8,144 + 8,041 photographs, labels 0-195.

    Raises:
        MissingData: neither layout is there.
        CorruptData: part of it is missing or damaged.
    """
    path = locate(data_dir, {ARCHIVE: PLACES})[ARCHIVE]
    if not (path / "cars_train").is_dir():
        return load_class_folders(data_dir, ARCHIVE, PLACES, N_CLASSES)
    return Decoded(_part(path, "train"), _part(path, "test"), (path,))


def _part(path: Path, half: str) -> Part:
    folder, annotations = HALVES[half]
    if not (path / folder).is_dir():
        raise CorruptData(f"{path} has no folder {folder}: unpack cars_{half}.tgz into it")
    rows = read_annotations(path, annotations, folder)
    return photo_part(path, rows, whole=half == "train")


def read_annotations(path: Path, annotations: str, folder: str) -> list[Row]:
    """Label and image of every row of an annotation file.

    Raises:
        CorruptData: it is missing or damaged, or names images that are not there or classes beyond 1..196.
    """
    file = path / annotations
    if not file.is_file():
        raise CorruptData(f"{path} has no {annotations}, which holds the labels: add it")
    entries = _entries(file)
    rows = []
    for name, label in entries:
        if not 1 <= label <= N_CLASSES or "/" in name or "\\" in name:
            raise CorruptData(f"{file} gives {name!r} the class {label}, not one of 1..{N_CLASSES}: replace it")
        if not (path / folder / name).is_file():
            raise CorruptData(f"{path / folder} has no {name}, which {annotations} lists: it is incomplete")
        rows.append((label - 1, f"{folder}/{name}"))
    return rows


def _entries(file: Path) -> list[tuple[str, int]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with reading(file):
        try:
            found: Any = loadmat(file, squeeze_me=True)["annotations"]
            return [(str(row["fname"]), int(row["class"])) for row in np.atleast_1d(found)]
        except (KeyError, TypeError, IndexError, MatReadError) as error:
            raise CorruptData(
                f"{file} is not the official annotation file with labels ({error}): use cars_train_annos.mat of "
                "the devkit and cars_test_annos_withlabels.mat"
            ) from error
