"""Photographs in folders of classes, in the layout of the RevisitingCIL / LAMDA-PILOT archives.

Source: Zhou, Cai, Ye, Zhan, Liu, "Revisiting Class-Incremental Learning with Pre-Trained Models", IJCV 2024;
its archives of CUB-200, ImageNet-R, ImageNet-A, OmniBenchmark and VTAB are read by LAMDA-PILOT and most papers
on pre-trained models. train/<class>/<image> and test/<class>/<image>, in a folder or still in the zip archive,
at its top or below other folders. Classes are numbered in the sorted order of their folders' names, as
torchvision's ImageFolder does.

Decisions [D]:
- the training half is stored with the shorter side at 256 pixels (Pillow's bicubic), whole: the image from which
  the evaluation transform cuts its central 224 x 224, so that this view is the same bytes, and from which random
  resized crops are cut on the device. A crop of 5 % of the area is thus enlarged from fewer pixels than if it were
  cut from the original; where it lies and what it shows are the same;
- the test half is stored as evaluation shows it: shorter side 256, central 224 x 224;
- both halves must have the same classes, each with at least one image.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from recollect.datasets.errors import CorruptData
from recollect.datasets.images import decode_image
from recollect.datasets.reading import locate
from recollect.datasets.spec import Decoded, Part
from recollect.datasets.trees import Limits, open_tree

STORED_SIDE = 256
SHOWN_SIDE = 224
BATCH = 64
MAX_ELONGATION = 32
LIMITS = Limits(entry_bytes=64 << 20, total_bytes=128 << 30)
MAX_PIXELS = 80_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
HALVES = ("train", "test")
_ENTRY = re.compile(r"(?:(?P<above>.*)/)?(?P<half>train|test)/(?P<label>[^/]+)/(?P<file>[^/]+)")
Row = tuple[int, str]  # class, path in the archive or folder


def load_class_folders(data_dir: Path, wanted: str, places: tuple[str, ...], n_classes: int) -> Decoded:
    """Read a data set of class folders.

    Args:
        data_dir: folder with official files.
        wanted: the archive as `RemoteFile.path` names it.
        places: where the folder or archive may lie, best first.
        n_classes: how many there must be.

    Raises:
        MissingData: nothing in those places.
        CorruptData: another layout, other classes, an unreadable image.
    """
    path = locate(data_dir, {wanted: places})[wanted]
    with open_tree(path, LIMITS) as tree:
        halves = find_rows(path, tree.names(), n_classes)
    train, test = halves["train"], halves["test"]
    return Decoded(photo_part(path, train, whole=True), photo_part(path, test, whole=False), (path,))


def find_rows(path: Path, names: list[str], n_classes: int) -> dict[str, list[Row]]:
    """The images of both halves, in the sorted order of (class, file).

    Raises:
        CorruptData: no such layout, more than one, or other classes than there should be.
    """
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for name in sorted(names):
        match = _ENTRY.fullmatch(name)
        if match is None or name.startswith("__MACOSX") or not _is_image(match["file"]):
            continue
        halves = found.setdefault(match["above"] or "", {half: {} for half in HALVES})
        halves[match["half"]].setdefault(match["label"], []).append(name)
    layout = "train/<class>/<image> and test/<class>/<image>"
    if not found:
        raise CorruptData(f"{path} has no {layout} inside: use the archive of docs/data.md, or lay it out so")
    if len(found) > 1:
        above = ", ".join(repr(a) for a in sorted(found)[:3])
        raise CorruptData(f"{path} has {layout} more than once, below {above}: keep one of them")
    halves = next(iter(found.values()))
    _check_classes(path, halves, n_classes)
    numbers = {label: number for number, label in enumerate(sorted(halves["train"]))}
    return {half: [(numbers[c], n) for c in sorted(own) for n in own[c]] for half, own in halves.items()}


def _is_image(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in SUFFIXES and not file.startswith("._")


def _check_classes(path: Path, halves: dict[str, dict[str, list[str]]], n_classes: int) -> None:
    for half, other in (HALVES, HALVES[::-1]):
        absent = sorted(set(halves[other]) - set(halves[half]))
        if absent:
            raise CorruptData(
                f"{path}: {half}/{absent[0]} is missing or has no images, although {other}/{absent[0]} has some: "
                "unpack the archive again, whole"
            )
    if len(halves["train"]) != n_classes:
        raise CorruptData(
            f"{path} has {len(halves['train'])} class folders in train where {n_classes} are expected: it is "
            "another data set, or part of it is missing: use the archive of docs/data.md"
        )


def photo_part(path: Path, rows: list[Row], *, whole: bool) -> Part:
    """One half, decoded when it is asked for.

    Args:
        path: folder or archive.
        rows: label and name of every image.
        whole: images of their own size, shorter side 256; else their central 224 x 224.
    """
    y = np.array([label for label, _ in rows], dtype=np.int64)
    names = [name for _, name in rows]
    if whole:
        return Part(y, (), str(path), own_sizes=_decode(path, names))
    return Part(y, _blocks(path, names), str(path))


def _decode(path: Path, names: list[str]) -> Iterator[np.ndarray]:
    with open_tree(path, LIMITS) as tree:
        for name in names:
            origin = f"{path}: {name}"
            yield shorter_side(decode_image(tree.read(name), "RGB", origin, FORMATS, MAX_PIXELS), origin)


def _blocks(path: Path, names: list[str]) -> Iterator[np.ndarray]:
    block: list[np.ndarray] = []
    for image in _decode(path, names):
        block.append(central(image))
        if len(block) == BATCH:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)


def shorter_side(image: Image.Image, origin: str, side: int = STORED_SIDE) -> np.ndarray:
    """Scale so that the shorter side is `side`, as torchvision's `Resize` with bicubic does; uint8 (3, h, w).

    Raises:
        CorruptData: the image is a strip, which would become huge.
    """
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if long > MAX_ELONGATION * short:
        raise CorruptData(
            f"{origin} is {width} x {height} pixels, more than {MAX_ELONGATION} times as long as wide: remove it "
            "or replace it by an intact copy"
        )
    size = (side * width // short, side * height // short)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def central(image: np.ndarray, side: int = SHOWN_SIDE) -> np.ndarray:
    """The central side x side of an image (3, h, w), as torchvision's `CenterCrop` takes it."""
    top, left = (round((n - side) / 2) for n in image.shape[1:])
    return image[:, top : top + side, left : left + side]
