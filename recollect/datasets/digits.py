"""scikit-learn's handwritten digits: 1,797 real 8x8 images inside a dependency, so no download is needed.

Source: Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI 1998 (its test set, as scikit-learn
ships it).

Decisions [D]: values 0..16 become round(value * 255 / 16), so 0..255. The set has no official split: per
class, in file order, every fifth image (the 5th, 10th, ...) is a test image.
"""

from pathlib import Path

import numpy as np

from recollect.datasets.spec import Block, Decoded, Part, StoredModality

EVERY = 5
VIEWS = (StoredModality("upper", (1, 4, 8)), StoredModality("lower", (1, 4, 8)))


def load_digits(data_dir: Path) -> Decoded:
    """Read the digits: 1,442 + 355 images (1, 8, 8), labels 0-9; `data_dir` is not looked at."""
    from sklearn import datasets as sklearn_datasets

    raw, labels = sklearn_datasets.load_digits(return_X_y=True)
    x = ((raw.astype(np.int64) * 255 + 8) // 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    y = labels.astype(np.int64)
    is_test = every_fifth(y)
    origin = "sklearn.datasets.load_digits"
    return Decoded(Part(y[~is_test], [x[~is_test]], origin), Part(y[is_test], [x[is_test]], origin))


def load_digits_views(data_dir: Path) -> Decoded:
    """Read the digits in two views, rows 0..3 and rows 4..7 of every image: two modalities of shape (1, 4, 8)."""
    whole = load_digits(data_dir)
    return Decoded(_views(whole.train), _views(whole.test))


def _views(part: Part) -> Part:
    blocks = [Block({"upper": x[:, :, :4], "lower": x[:, :, 4:]}) for x in part.images]
    return Part(part.y, (), part.origin, blocks=blocks)


def every_fifth(y: np.ndarray) -> np.ndarray:
    """Mark every fifth occurrence of each label, in order; labels (N,) -> bool (N,)."""
    mask = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        mask[np.flatnonzero(y == label)[EVERY - 1 :: EVERY]] = True
    return mask
