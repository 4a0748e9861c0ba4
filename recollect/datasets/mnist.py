"""MNIST and FashionMNIST: four idx files each.

Sources: LeCun, Cortes, Burges, "The MNIST database of handwritten digits"; Xiao, Rasul, Vollgraf,
"Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", arXiv 1708.07747.
"""

from pathlib import Path

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.idx import IMAGES_NDIM, LABELS_NDIM, read_idx
from recollect.datasets.reading import locate
from recollect.datasets.spec import Decoded, Part, in_batches

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def load_mnist(data_dir: Path) -> Decoded:
    """Read MNIST: 60,000 + 10,000 images (1, 28, 28), labels 0-9."""
    return load_idx_folder(data_dir, ("mnist", "MNIST/raw", "MNIST"))


def load_fashion_mnist(data_dir: Path) -> Decoded:
    """Read FashionMNIST: 60,000 + 10,000 images (1, 28, 28), labels 0-9."""
    return load_idx_folder(data_dir, ("fashion_mnist", "FashionMNIST/raw", "fashion-mnist"))


def load_idx_folder(data_dir: Path, folders: tuple[str, ...]) -> Decoded:
    """Read the four idx files (.gz or not) from the first of `folders` that has each of them.

    Raises:
        MissingData, CorruptData.
    """
    wanted = {
        f"{folders[0]}/{name}.gz": [f"{folder}/{name}{end}" for folder in folders for end in (".gz", "")]
        for name in FILES
    }
    paths = tuple(locate(data_dir, wanted).values())
    return Decoded(_part(*paths[:2]), _part(*paths[2:]), paths)


def _part(images_path: Path, labels_path: Path) -> Part:
    x = read_idx(images_path, IMAGES_NDIM)[:, None]
    y = read_idx(labels_path, LABELS_NDIM).astype(np.int64)
    if len(x) != len(y):
        raise CorruptData(
            f"{images_path} has {len(x)} images but {labels_path} has {len(y)} labels: "
            "the two do not belong together, replace both"
        )
    return Part(y, in_batches(x), str(labels_path))
