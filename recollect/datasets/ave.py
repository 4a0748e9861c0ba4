"""AVE: 28 audio-visual events, ten-second clips with sound.

Source: Tian, Shi, Li, Duan, Xu, "Audio-Visual Event Localization in Unconstrained Videos", ECCV 2018;
https://github.com/YapengTian/AVE-ECCV18. Its archive AVE_Dataset holds AVE/<video id>.mp4, Annotations.txt and the
official lists trainSet.txt, valSet.txt, testSet.txt, whose lines are category&video id&quality&start&end.
Annotations.txt was seen, the lists and the clips were not: not verified on the real archive.

Decisions [D]:
- the label is that of the whole clip; classes are numbered as their names first appear in Annotations.txt. Where
  the event starts and ends is not used;
- training and test halves are the official training and test lists; the validation list is not used;
- 8 pictures of 224 x 224 from the middles of equal parts of the clip, and its sound as the Audio Spectrogram
  Transformer takes it (10.24 s): clips of unequal lengths become equal so. A clip without sound lacks that
  modality. The order files in h5 are not needed and not read.
"""

from functools import partial
from pathlib import Path

from recollect.datasets.clips import Sample, clip_part
from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import locate_inside, reading
from recollect.datasets.sound import AST_RATE, AST_SHAPE, ast_spectrogram
from recollect.datasets.spec import Decoded, Part, StoredModality
from recollect.datasets.video import SIDE, read_frames, read_sound

FOLDER = "AVE_Dataset"
N_CLASSES = 28
FRAMES = 8
LISTS = {"train": "trainSet.txt", "test": "testSet.txt"}
MODALITIES = (
    StoredModality("video", (FRAMES, 3, SIDE, SIDE)),
    StoredModality("audio", AST_SHAPE, dtype="float16", optional=True),
)


def load_ave(data_dir: Path) -> Decoded:
    """Read AVE from the unpacked archive.

    Raises:
        MissingData: the folder with the clips or a list is not there.
        CorruptData: a list is garbled.
    """
    names = ("Annotations.txt", *LISTS.values())
    wanted = {name: (name, f"data/{name}") for name in names} | {"AVE": ("AVE", "AVE_video")}
    folder, lists = locate_inside(data_dir, FOLDER, (FOLDER, "ave", "AVE"), wanted)
    categories = list(dict.fromkeys(category for category, _ in read_list(lists["Annotations.txt"])))
    if len(categories) != N_CLASSES:
        raise CorruptData(
            f"{lists['Annotations.txt']} names {len(categories)} categories where {N_CLASSES} are expected: "
            "use the official file"
        )
    train, test = (_half(lists["AVE"], lists[name], categories) for name in LISTS.values())
    return Decoded(train, test, (folder,))


def read_list(path: Path) -> list[tuple[str, str]]:
    """(category, video id) of every line.

    Raises:
        CorruptData: no text, or a line that says something else.
    """
    with reading(path):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    found = []
    for number, line in enumerate(lines, start=1):
        category, _, rest = line.partition("&")
        video = rest.partition("&")[0]
        if line and not (number == 1 and category.strip().lower() == "category"):
            if not video or "/" in video or "\\" in video:
                raise CorruptData(f"{path}, line {number}, is not category&video id&...: use the official file")
            found.append((category, video))
    return found


def _half(clips: Path, listed: Path, categories: list[str]) -> Part:
    rows = read_list(listed)
    unknown = sorted({category for category, _ in rows} - set(categories))
    if unknown:
        raise CorruptData(f"{listed} has the category {unknown[0]!r}, Annotations.txt has not: use official files")
    labels = [categories.index(category) for category, _ in rows]
    names = [f"{video}.mp4" for _, video in rows]
    return clip_part(labels, names, str(listed), MODALITIES, partial(_decode, clips, names))


def _decode(clips: Path, names: list[str], number: int) -> Sample:
    path = clips / names[number]
    sample = {"video": read_frames(path, str(path), FRAMES)}
    sound = read_sound(path, str(path), AST_RATE)
    return sample if sound is None else {**sample, "audio": ast_spectrogram(sound)}
