"""CIFAR-10 and CIFAR-100 from their binary (pickle-free) versions, unpacked or still in the official .tar.gz.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A record is one label byte
(CIFAR-10) or a coarse and a fine label byte (CIFAR-100), then 3 x 32 x 32 pixel bytes: all red, all green,
all blue, each row by row.
"""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import locate, reading
from recollect.datasets.spec import Decoded, Part, in_batches
from recollect.datasets.trees import check_entry

SHAPE = (3, 32, 32)
N_PIXELS = 3 * 32 * 32
MAX_MEMBER_BYTES = 512 << 20
CIFAR10_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
CIFAR10_TEST = ("test_batch.bin",)


def load_cifar10(data_dir: Path) -> Decoded:
    """Read CIFAR-10: 50,000 + 10,000 images (3, 32, 32), labels 0-9."""
    folder, archive = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
    return _load(data_dir, "cifar10", folder, archive, (CIFAR10_TRAIN, CIFAR10_TEST), label_bytes=1)


def load_cifar100(data_dir: Path) -> Decoded:
    """Read CIFAR-100: 50,000 + 10,000 images (3, 32, 32), fine labels 0-99."""
    folder, archive = "cifar-100-binary", "cifar-100-binary.tar.gz"
    return _load(data_dir, "cifar100", folder, archive, (("train.bin",), ("test.bin",)), label_bytes=2)


def _load(
    data_dir: Path,
    home: str,
    folder: str,
    archive: str,
    halves: tuple[Sequence[str], Sequence[str]],
    *,
    label_bytes: int,
) -> Decoded:
    wanted = {archive: [folder, f"{home}/{folder}", archive, f"{home}/{archive}"]}
    path = locate(data_dir, wanted)[archive]
    names = [*halves[0], *halves[1]]
    if path.is_dir():
        bodies, files = _read_folder(path, names), tuple(path / name for name in names)
    else:
        bodies, files = _read_tar(path, folder, names), (path,)
    train, test = (
        _part([parse_records(bodies[name], label_bytes, f"{path}/{name}") for name in half], str(path))
        for half in halves
    )
    return Decoded(train, test, files)


def parse_records(body: bytes, label_bytes: int, origin: str) -> np.ndarray:
    """View a .bin file as uint8 records (N, label_bytes + 3072).

    Raises:
        CorruptData: empty, or not a whole number of records.
    """
    record = label_bytes + N_PIXELS
    if not body or len(body) % record:
        raise CorruptData(
            f"{origin} has {len(body):,} bytes, not a multiple of the {record} bytes of a record: it is "
            "truncated or another kind of file, replace it by an intact copy"
        )
    return np.frombuffer(body, dtype=np.uint8).reshape(-1, record)


def _part(files: list[np.ndarray], origin: str) -> Part:
    # The fine label is the last label byte; CIFAR-10 has only that one.
    y = np.concatenate([records[:, -N_PIXELS - 1] for records in files]).astype(np.int64)
    batches = (batch[:, -N_PIXELS:].reshape(-1, *SHAPE) for records in files for batch in in_batches(records))
    return Part(y, batches, origin)


def _read_folder(folder: Path, names: list[str]) -> dict[str, bytes]:
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise CorruptData(f"{folder} is incomplete, {', '.join(absent)} is not in it: add it or remove the folder")
    bodies = {}
    for name in names:
        path = folder / name
        with reading(path):
            _check_size(path, path.stat().st_size)
            bodies[name] = path.read_bytes()
    return bodies


def _check_size(path: Path, n_bytes: int) -> None:
    if n_bytes > MAX_MEMBER_BYTES:
        raise CorruptData(f"{path} has {n_bytes:,} bytes, far more than the official file: refused")


def _read_tar(path: Path, folder: str, names: list[str]) -> dict[str, bytes]:
    """Read the wanted members in one pass; whatever else the archive holds is checked but not kept."""
    bodies: dict[str, bytes] = {}
    with reading(path), tarfile.open(path, "r|gz") as archive:
        for member in archive:
            is_link = not (member.isfile() or member.isdir())
            check_entry(path, member.name, member.size, is_link, MAX_MEMBER_BYTES)
            name = member.name.removeprefix("./").removeprefix(f"{folder}/")
            stream = archive.extractfile(member) if name in names else None
            if stream is not None:
                bodies[name] = stream.read()
            if len(bodies) == len(names):
                break
    absent = [name for name in names if name not in bodies]
    if absent:
        raise CorruptData(f"{path} has no {folder}/{', '.join(absent)} inside: it is not the official archive")
    return bodies
