"""UESTC-MMEA-CL: 32 egocentric activities, video with accelerometer and gyroscope of the same glasses.

Source: Xu, Wu, Pan, Meng, Li, He, Wang, Cheng, Dai, "Towards Continual Egocentric Activity Recognition: A
Multi-Modal Egocentric Activity Dataset for Continual Learning", IEEE TMM 26 (2024);
https://github.com/Tflowers-0129/uestc-mmea-cl: video/<number>_<activity>/<clip>.mp4,
sensor/<number>_<activity>/<clip>.csv, and train.txt, val.txt, test.txt, whose lines begin with the path of a clip.
The first six columns of a sensor file are acceleration (16384 per g) and rotation (16.4 per degree per second).
Not verified on the real archive: only its description and code that reads it were seen.

Decisions [D]:
- the label is the number of the folder, from 1, minus 1; train.txt and test.txt are the halves, val.txt is not
  used;
- 8 pictures of 224 x 224 from the middles of equal parts of the clip;
- each sensor axis: median filter over 5 values, as the authors say; of the gyroscope the median over the clip is
  then taken away, which is what "drift removal" is taken to mean; then linear interpolation to 256 points evenly
  over the clip, so that clips of unequal length become equal. In g, and in units of 100 degrees per second.
"""

import re
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from recollect.datasets.clips import Sample, clip_part
from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import locate_inside, reading
from recollect.datasets.spec import Decoded, Part, StoredModality
from recollect.datasets.video import SIDE, read_frames

FOLDER = "UESTC-MMEA-CL"
N_CLASSES = 32
FRAMES = 8
STEPS = 256
KERNEL = 5
PER_G = 16384.0
PER_HUNDRED_DEGREES = 1640.0
MODALITIES = (
    StoredModality("video", (FRAMES, 3, SIDE, SIDE)),
    StoredModality("accelerometer", (3, STEPS), dtype="float32"),
    StoredModality("gyroscope", (3, STEPS), dtype="float32"),
)
_CLASS = re.compile(r"(\d+)_.+")


def load_uestc_mmea(data_dir: Path) -> Decoded:
    """Read UESTC-MMEA-CL from the unpacked archive.

    Raises:
        MissingData: the folder, a list, or the folders video and sensor are not there.
        CorruptData: a list is garbled.
    """
    wanted = {name: (name,) for name in ("train.txt", "test.txt", "video", "sensor")}
    folder, places = locate_inside(data_dir, FOLDER, (FOLDER, "uestc_mmea_cl", "uestc-mmea-cl"), wanted)
    train, test = (_half(folder, places[f"{half}.txt"]) for half in ("train", "test"))
    return Decoded(train, test, (folder,))


def read_list(path: Path) -> list[tuple[int, str]]:
    """(label, <class folder>/<clip> without ending) of every line.

    Raises:
        CorruptData: a line that does not begin with such a path.
    """
    with reading(path):
        lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        clip = PurePosixPath(re.split(r"[\s,]", line.strip())[0].replace("\\", "/"))
        match = _CLASS.fullmatch(clip.parent.name)
        if match is None or not 1 <= int(match[1]) <= N_CLASSES or clip.name in ("", ".."):
            raise CorruptData(
                f"{path}, line {number}, does not begin with <1..{N_CLASSES}>_<activity>/<clip>: use the official "
                "file"
            )
        stem = clip.name if clip.suffix.lower() not in (".mp4", ".csv", ".avi") else clip.stem
        found.append((int(match[1]) - 1, f"{clip.parent.name}/{stem}"))
    return found


def _half(folder: Path, listed: Path) -> Part:
    rows = read_list(listed)
    names = [name for _, name in rows]
    return clip_part([label for label, _ in rows], names, str(listed), MODALITIES, partial(_decode, folder, names))


def _decode(folder: Path, names: list[str], number: int) -> Sample:
    video, sensor = folder / "video" / f"{names[number]}.mp4", folder / "sensor" / f"{names[number]}.csv"
    acceleration, rotation = read_sensor(sensor)
    return {
        "video": read_frames(video, str(video), FRAMES), "accelerometer": acceleration, "gyroscope": rotation
    }  # fmt: skip


def read_sensor(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Acceleration in g and rotation in 100 degrees per second, float32 (3, 256) each.

    Raises:
        CorruptData: no table of at least two lines with six numbers each.
    """
    with reading(path):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if lines and not _is_number(lines[0].split(",")[0]):
        lines = lines[1:]
    try:
        table = np.array([[float(cell) for cell in line.split(",")[:6]] for line in lines])
    except ValueError as error:
        raise CorruptData(f"{path} is no table of numbers ({error}): replace it by the official file") from error
    if table.ndim != 2 or table.shape[1] != 6 or len(table) < 2 or not np.isfinite(table).all():
        raise CorruptData(f"{path} has not six finite numbers in each of two or more lines: replace it")
    acceleration, rotation = table[:, :3] / PER_G, table[:, 3:] / PER_HUNDRED_DEGREES
    rotation = _filtered(rotation)
    rotation -= np.median(rotation, axis=0)
    return _even(_filtered(acceleration)), _even(rotation)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _filtered(x: np.ndarray) -> np.ndarray:
    """Median over five values, at the ends of those that there are; x (n, 3)."""
    padded = np.pad(x, ((KERNEL // 2, KERNEL // 2), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, KERNEL, axis=0)
    return np.nanmedian(windows, axis=-1)


def _even(x: np.ndarray) -> np.ndarray:
    """Interpolate (n, 3) to (3, 256)."""
    places = np.linspace(0, len(x) - 1, STEPS)
    return np.stack([np.interp(places, np.arange(len(x)), axis) for axis in x.T]).astype(np.float32)
