"""CelebA faces at 64x64 with classes made from attributes.

Source: Liu, Luo, Wang, Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015; classes from the code of
the Adapt & Align authors (github KamilDeja/multiband_vae and cywinski/multiband_gan, datasetGen.py).

Decisions [D]:
- `celeba`: ten attribute conjunctions (hair colour or hat, by sex; grey; bald). Where several fit, the later
  one in `CONJUNCTIONS` wins; the order is the one in which the authors' code applies them. Images that fit
  none are dropped;
- `celeba_raw_attributes`: their Dirichlet mode, where attribute columns 0..9 serve as classes (column 0
  negated);
- train and test are the official partitions 0 and 2; the validation partition 1 is left out (Recollect holds
  validation data out of the training part);
- Resize 64 and CenterCrop 64 once, as torchvision does (bilinear, 178 x 218 -> 64 x 78 -> 64 x 64). Their
  random flip, frozen into the cache, is left out: flips are per-batch augmentation here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from recollect.datasets.errors import CorruptData
from recollect.datasets.images import decode_image
from recollect.datasets.reading import locate, reading
from recollect.datasets.spec import Decoded, Part
from recollect.datasets.trees import open_tree

SIDE = 64
BATCH = 512
TRAIN_PARTITION, TEST_PARTITION = 0, 2
Rule = tuple[int, tuple[str, ...]]  # class, attributes that must hold; "-" before a name: must not hold

CONJUNCTIONS: tuple[Rule, ...] = (
    (0, ("Black_Hair", "Male")),
    (1, ("Black_Hair", "-Male")),
    (6, ("Brown_Hair", "Male")),
    (7, ("Brown_Hair", "-Male")),
    (4, ("Wearing_Hat", "Male")),
    (5, ("Wearing_Hat", "-Male")),
    (2, ("Blond_Hair", "Male")),
    (3, ("Blond_Hair", "-Male")),
    (8, ("Gray_Hair",)),
    (9, ("Bald",)),
)
RAW_ATTRIBUTES: tuple[Rule, ...] = (
    (0, ("-5_o_Clock_Shadow",)),
    (1, ("Arched_Eyebrows",)),
    (2, ("Attractive",)),
    (3, ("Bags_Under_Eyes",)),
    (4, ("Bald",)),
    (5, ("Bangs",)),
    (6, ("Big_Lips",)),
    (7, ("Big_Nose",)),
    (8, ("Black_Hair",)),
    (9, ("Blond_Hair",)),
)
PLACES = {
    "celeba/img_align_celeba.zip": (
        "celeba/img_align_celeba",
        "celeba/img_align_celeba.zip",
        "celeba/Img/img_align_celeba",
        "celeba/Img/img_align_celeba.zip",
    ),
    "celeba/list_attr_celeba.txt": ("celeba/list_attr_celeba.txt", "celeba/Anno/list_attr_celeba.txt"),
    "celeba/list_eval_partition.txt": (
        "celeba/list_eval_partition.txt",
        "celeba/Eval/list_eval_partition.txt",
    ),
}
_NAME = re.compile(r"\d{6}\.jpg")


def load_celeba(data_dir: Path) -> Decoded:
    """Read CelebA with the ten attribute conjunctions as classes; images (3, 64, 64), decoded lazily."""
    return _load(data_dir, CONJUNCTIONS)


def load_celeba_raw_attributes(data_dir: Path) -> Decoded:
    """Read CelebA with attribute columns 0..9 as classes; images (3, 64, 64), decoded lazily."""
    return _load(data_dir, RAW_ATTRIBUTES)


def _load(data_dir: Path, rules: tuple[Rule, ...]) -> Decoded:
    images, attributes, partition = locate(data_dir, PLACES).values()
    names, flags = read_attributes(attributes)
    parts = read_partition(partition)
    absent = next((name for name in names if name not in parts), None)
    if absent:
        raise CorruptData(f"{absent} is in {attributes} but not in {partition}: one is truncated, replace both")
    labels = classes_from(flags, rules, attributes)
    split = np.array([parts[name] for name in names])
    with open_tree(images) as tree:
        entries = {name.rpartition("/")[2]: name for name in tree.names()}

    def part(which: int) -> Part:
        rows = np.flatnonzero((split == which) & (labels >= 0))
        return Part(labels[rows], _decode(images, entries, [names[i] for i in rows]), str(images))

    return Decoded(part(TRAIN_PARTITION), part(TEST_PARTITION), (images, attributes, partition))


def read_attributes(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Read list_attr_celeba.txt: file names (N), and per attribute a bool array (N,).

    Raises:
        CorruptData: the count in line 1, the columns of line 2 and the rows do not agree, or a value is not 1
        / -1.
    """
    lines = _lines(path)
    try:
        n_stated, columns = int(lines[0]), lines[1].split()
    except (ValueError, IndexError):
        raise CorruptData(
            f"{path} does not start with a count and attribute names: use the official file"
        ) from None
    if len(lines) - 2 != n_stated:
        raise CorruptData(
            f"{path} states {n_stated} images but lists {len(lines) - 2}: it is truncated, replace it"
        )
    names = []
    values = np.empty((n_stated, len(columns)), dtype=bool)
    for i, line in enumerate(lines[2:]):
        name, *row = line.split() or [""]
        if len(row) != len(columns) or not _NAME.fullmatch(name) or not set(row) <= {"1", "-1"}:
            raise CorruptData(
                f"{path}, line {i + 3}: expected NNNNNN.jpg and {len(columns)} values 1 or -1: replace it"
            )
        names.append(name)
        values[i] = [value == "1" for value in row]
    return names, {name: values[:, i] for i, name in enumerate(columns)}


def read_partition(path: Path) -> dict[str, int]:
    """Read list_eval_partition.txt: file name -> 0 (train), 1 (validation) or 2 (test).

    Raises:
        CorruptData: a line of another form.
    """
    parts: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        name, _, value = line.strip().partition(" ")
        if not _NAME.fullmatch(name) or value not in {"0", "1", "2"}:
            raise CorruptData(f"{path}, line {number}: expected NNNNNN.jpg and 0, 1 or 2: replace the file")
        parts[name] = int(value)
    return parts


def classes_from(flags: dict[str, np.ndarray], rules: tuple[Rule, ...], origin: Path) -> np.ndarray:
    """Apply the rules in order, later over earlier; int64 (N,), -1 where none fits.

    Raises:
        CorruptData: an attribute of the rules is not in the file.
    """
    absent = [name for _, names in rules for name in names if name.removeprefix("-") not in flags]
    if absent:
        raise CorruptData(f"{origin} has no attribute {absent[0].removeprefix('-')}: use the official file")
    labels = np.full(len(next(iter(flags.values()))), -1, dtype=np.int64)
    for label, names in rules:
        fits = np.logical_and.reduce([flags[name.removeprefix("-")] ^ name.startswith("-") for name in names])
        labels[fits] = label
    return labels


def resize_and_crop(image: Image.Image) -> np.ndarray:
    """Scale the shorter side to 64 and cut the central 64x64; returns uint8 (3, 64, 64)."""
    width, height = image.size
    short = min(width, height)
    size = (SIDE * width // short, SIDE * height // short)
    left, top = (round((side - SIDE) / 2) for side in size)
    small = image.resize(size, Image.Resampling.BILINEAR).crop((left, top, left + SIDE, top + SIDE))
    return np.asarray(small).transpose(2, 0, 1)


def _decode(images: Path, entries: dict[str, str], names: list[str]) -> Iterator[np.ndarray]:
    with open_tree(images) as tree:
        for start in range(0, len(names), BATCH):
            batch = []
            for name in names[start : start + BATCH]:
                if name not in entries:
                    raise CorruptData(f"{images} has no {name}, which the attribute file lists: it is incomplete")
                image = decode_image(tree.read(entries[name]), "RGB", f"{images}: {name}")
                batch.append(resize_and_crop(image))
            yield np.stack(batch)


def _lines(path: Path) -> list[str]:
    with reading(path):
        try:
            return path.read_text(encoding="ascii").splitlines()
        except UnicodeDecodeError:
            raise CorruptData(f"{path} is not a text file: use the official file") from None
