"""Omniglot in the 28x28 form of the generative continual-learning papers.

Source: Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic program
induction", Science 2015. The archives hold 105x105 one-bit PNGs, black ink on white paper,
<set>/<alphabet>/<character>/<number>_<drawer>.png, each character drawn once by 20 people.

Decisions [D]:
- a class is a character; classes are numbered in the sorted order of (alphabet, character), so that
  consecutive classes share an alphabet;
- 28x28 is Pillow's bilinear resize of the 8-bit grey image (what torchvision's `Resize(28)` does to the paper
  code's input), then 255 - value, so that strokes are white on black as in MNIST;
- `omniglot`: drawers 1-15 are training and drawers 16-20 test images, 15 + 5 per class, so that test accuracy
  and test FID mean something;
- `omniglot_joined`: all 20 are training images and there is no test half, as in the public code of the
  generative papers, which evaluates on training images; a scenario must say so (`evaluate_on`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from recollect.datasets.errors import CorruptData
from recollect.datasets.images import decode_image
from recollect.datasets.reading import locate
from recollect.datasets.spec import Decoded, Part
from recollect.datasets.trees import open_tree

SOURCE_SIZE = (105, 105)
SIDE = 28
LAST_TRAIN_DRAWER = 15
N_DRAWERS = 20
BATCH = 1024
_ENTRY = re.compile(r"(?:^|/)([^/]+)/(character\d+)/\d{1,6}_(\d{1,4})\.png$")


def load_omniglot(data_dir: Path) -> Decoded:
    """Read the background set: 964 classes of 15 + 5 images (1, 28, 28)."""
    return _load(data_dir, "images_background")


def load_omniglot_joined(data_dir: Path) -> Decoded:
    """Read the background set: 964 classes of 20 training images (1, 28, 28), no test images."""
    return _load(data_dir, "images_background", N_DRAWERS)


def load_omniglot_evaluation(data_dir: Path) -> Decoded:
    """Read the evaluation set: 659 classes of 15 + 5 images (1, 28, 28)."""
    return _load(data_dir, "images_evaluation")


def _load(data_dir: Path, stem: str, last_train_drawer: int = LAST_TRAIN_DRAWER) -> Decoded:
    folders = ("omniglot", "omniglot-py", ".")
    places = [f"{folder}/{stem}{end}" for folder in folders for end in (".zip", "")]
    path = locate(data_dir, {f"omniglot/{stem}.zip": places})[f"omniglot/{stem}.zip"]
    train, test = _index(path, last_train_drawer)
    return Decoded(_part(path, train), _part(path, test), (path,))


def _index(path: Path, last_train_drawer: int) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """List (class, file name) of the training and of the test drawings, sorted by class and drawer."""
    with open_tree(path) as tree:
        matches = [match for match in map(_ENTRY.search, tree.names()) if match]
    rows = sorted((m[1], m[2], int(m[3]), m.string) for m in matches if not m.string.startswith("__MACOSX"))
    if not rows:
        raise CorruptData(f"{path} has no <alphabet>/<character>/*.png inside: it is not the official archive")
    classes = {key: i for i, key in enumerate(sorted({(alphabet, char) for alphabet, char, _, _ in rows}))}
    train = [(classes[a, c], name) for a, c, drawer, name in rows if drawer <= last_train_drawer]
    test = [(classes[a, c], name) for a, c, drawer, name in rows if drawer > last_train_drawer]
    return train, test


def _part(path: Path, rows: list[tuple[int, str]]) -> Part:
    y = np.array([label for label, _ in rows], dtype=np.int64)
    return Part(y, _decode(path, [name for _, name in rows]), str(path))


def _decode(path: Path, names: list[str]) -> Iterator[np.ndarray]:
    with open_tree(path) as tree:
        for start in range(0, len(names), BATCH):
            batch = [_small(tree.read(name), f"{path}: {name}") for name in names[start : start + BATCH]]
            yield np.stack(batch)[:, None]


def _small(data: bytes, origin: str) -> np.ndarray:
    image = decode_image(data, "L", origin)
    if image.size != SOURCE_SIZE:
        raise CorruptData(
            f"{origin} is {image.width} x {image.height} where 105 x 105 is expected: use the official files"
        )
    return 255 - np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
