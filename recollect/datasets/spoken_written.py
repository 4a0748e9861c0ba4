"""Spoken and written digits: recordings of the Free Spoken Digit Dataset, each with an MNIST image of its digit.

Sources: Jackson et al., Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset,
`recordings/{digit}_{speaker}_{take}.wav`, 8 kHz, six speakers x ten digits x 50 takes; LeCun, Cortes, Burges,
"The MNIST database of handwritten digits".

Decisions [D]:
- takes 0 to 4 are test recordings, as its authors say, the others training recordings;
- recordings are ordered by (digit, speaker, take); the k-th of a digit gets the k-th image of that digit in the
  official order of MNIST, training with training and test with test. No image is used twice, whoever speaks, so
  the recordings of one speaker come with images that no other speaker has;
- sound: the first 0.812 s (98 % of the recordings are no longer) as 40 mel bands x 40 frames of 32 ms, 20 ms
  apart, decibels below the loudest point of the recording (`SOUND`). Image: 28 x 28 as it is.
"""

import re
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from recollect.datasets.clips import Sample, clip_part
from recollect.datasets.errors import CorruptData, MissingData
from recollect.datasets.mnist import load_mnist
from recollect.datasets.reading import locate
from recollect.datasets.sound import LogMel, read_wav
from recollect.datasets.spec import Decoded, Part, StoredModality
from recollect.datasets.trees import Limits, open_tree

ARCHIVE = "fsdd/free-spoken-digit-dataset-master.zip"
PLACES = (
    "fsdd", "free-spoken-digit-dataset", "free-spoken-digit-dataset-master", ARCHIVE,
    "free-spoken-digit-dataset-master.zip", "fsdd.zip",
)  # fmt: skip
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
"""In the order in which they come as domains."""
TEST_TAKES = 5
RATE = 8000
SOUND = LogMel(rate=RATE, window=256, hop=160, fft=512, mels=40, frames=40)
MODALITIES = (StoredModality("audio", SOUND.shape), StoredModality("image", (1, 28, 28)))
LIMITS = Limits(entry_bytes=16 << 20, total_bytes=1 << 30)
_RECORDING = re.compile(r"(?:.*/)?recordings/(?P<digit>\d)_(?P<speaker>[A-Za-z]+)_(?P<take>\d+)\.wav")
Recording = tuple[int, str, int, str]  # digit, speaker, take, path


def load_spoken_written(data_dir: Path, speaker: str | None = None) -> Decoded:
    """Read the pairs, labels 0-9: 2,700 + 300 of all speakers, 450 + 50 of one.

    Raises:
        MissingData: names all that is missing of both data sets.
        CorruptData: a recording or an image file is not what it should be.
    """
    path, mnist = _located(data_dir)
    with open_tree(path, LIMITS) as tree:
        recordings = find_recordings(path, tree.names())
    halves = {
        half: [r for r in recordings if (r[2] < TEST_TAKES) == (half == "test")] for half in ("train", "test")
    }
    train = _pairs(path, halves["train"], mnist.train, speaker)
    test = _pairs(path, halves["test"], mnist.test, speaker)
    return Decoded(train, test, (path, *mnist.files))


def _located(data_dir: Path) -> tuple[Path, Decoded]:
    """The recordings and MNIST, both looked for before either is given up."""
    missing: list[MissingData] = []
    path, mnist = None, None
    try:
        path = locate(data_dir, {ARCHIVE: PLACES})[ARCHIVE]
    except MissingData as error:
        missing.append(error)
    try:
        mnist = load_mnist(data_dir)
    except MissingData as error:
        missing.append(error)
    if path is None or mnist is None:
        text = "; ".join(str(error) for error in missing)
        wanted = [name for error in missing for name in error.wanted]
        raise MissingData(text, wanted=wanted, looked=[place for error in missing for place in error.looked])
    return path, mnist


def find_recordings(path: Path, names: list[str]) -> list[Recording]:
    """The recordings below a folder or in an archive, ordered by digit, speaker and take.

    Raises:
        CorruptData: there are none, one of an unknown speaker, or one twice.
    """
    matches = [(match, name) for name in sorted(names) if (match := _RECORDING.fullmatch(name)) is not None]
    found = [(int(m["digit"]), m["speaker"], int(m["take"]), name) for m, name in matches]
    if not found:
        raise CorruptData(
            f"{path} has no recordings/{{digit}}_{{speaker}}_{{take}}.wav inside: use the official files"
        )
    unknown = sorted({speaker for _, speaker, _, _ in found} - set(SPEAKERS))
    if unknown:
        raise CorruptData(
            f"{path} has recordings of {unknown[0]}, the six speakers are {', '.join(SPEAKERS)}: use the official "
            "version with six speakers"
        )
    keys = [recording[:3] for recording in found]
    if len(set(keys)) < len(keys):
        twice = next(recording[3] for recording in found if keys.count(recording[:3]) > 1)
        raise CorruptData(f"{path} has {PurePosixPath(twice).name} in more than one folder: keep one of them")
    return sorted(found)


def _pairs(path: Path, recordings: list[Recording], written: Part, speaker: str | None) -> Part:
    """One half, decoded when it is asked for."""
    images = np.concatenate(list(written.images))
    rows: list[tuple[Recording, int]] = []
    for digit in range(10):
        spoken = [recording for recording in recordings if recording[0] == digit]
        of_digit = np.flatnonzero(written.y == digit)
        if len(of_digit) < len(spoken):
            raise CorruptData(
                f"{written.origin} has {len(of_digit)} images of {digit} for {len(spoken)} recordings: use all of "
                "MNIST"
            )
        rows += list(zip(spoken, of_digit.tolist(), strict=False))
    rows = [row for row in rows if speaker in (None, row[0][1])]
    names = [recording[3] for recording, _ in rows]
    decode = partial(_decode, path, _contents(path, names), rows, images)
    return clip_part([recording[0] for recording, _ in rows], names, str(path), MODALITIES, decode)


def _contents(path: Path, names: list[str]) -> dict[str, bytes | CorruptData]:
    """The files, 26 MB in all, or why one cannot be read."""
    found: dict[str, bytes | CorruptData] = {}
    with open_tree(path, LIMITS) as tree:
        for name in names:
            try:
                found[name] = tree.read(name)
            except CorruptData as error:
                found[name] = error
    return found


def _decode(
    path: Path, contents: dict[str, bytes | CorruptData], rows: list[tuple[Recording, int]], images: np.ndarray,
    number: int,
) -> Sample:  # fmt: skip
    (_, _, _, name), image = rows[number]
    data = contents[name]
    if isinstance(data, CorruptData):
        raise data
    waveform, _ = read_wav(data, f"{path}: {name}", RATE)
    return {"audio": SOUND(waveform), "image": images[image]}
