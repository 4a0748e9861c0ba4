"""SAMSEMO: emotions in scenes of films and shows, with picture, sound and transcript, in five languages.

Source: Bujnowski et al., "SAMSEMO: New dataset for multilingual and multimodal emotion recognition", Interspeech
2024; https://huggingface.co/datasets/SamsungNLP/SAMSEMO: data/ (a zip archive per language with mp4, wav and jpg
files), metadata/samsemo.tsv (columns utterance_id, language, aggregated_emotions, transcript and others) and lists
of utterance ids, {train,valid,test}_split_{language}.txt. Not verified on the real archive: names inside the
archives and the writing of aggregated_emotions are not known, so files are found by their name alone, and emotions
by their words. Its .pkl files are never opened: unpickling may run any code.

Decisions [D]:
- the five emotions of the authors' code are the classes: anger, happiness, sadness, surprise, neutral, in that
  order; a scene with none or several of them is dropped, as its label is not one class;
- training and test halves are the official lists, the validation list is not used;
- 8 pictures of 224 x 224 from the middles of equal parts of the scene; its sound (the wav file, else that of the
  video) as the Audio Spectrogram Transformer takes it, 10.24 s; the transcript as its first 256 bytes of UTF-8,
  cut at a character, zeros behind: any tokenizer can be applied to it later. A scene may lack sound and
  transcript.
"""

import csv
import io
import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from recollect.datasets.clips import Sample, clip_part
from recollect.datasets.errors import CorruptData, MissingData
from recollect.datasets.reading import locate_inside, reading
from recollect.datasets.sound import AST_RATE, AST_SHAPE, ast_spectrogram
from recollect.datasets.spec import Decoded, Part, StoredModality
from recollect.datasets.trees import ImageTree, Limits, open_tree
from recollect.datasets.video import SIDE, read_frames, read_sound

FOLDER = "SAMSEMO"
LANGUAGES = ("EN", "DE", "ES", "PL", "KO")
"""In the order in which they come as domains."""
EMOTIONS = ("anger", "happiness", "sadness", "surprise", "neutral")
FRAMES = 8
TEXT_BYTES = 256
MODALITIES = (
    StoredModality("video", (FRAMES, 3, SIDE, SIDE)),
    StoredModality("audio", AST_SHAPE, dtype="float16", optional=True),
    StoredModality("text", (TEXT_BYTES,), optional=True),
)
LIMITS = Limits(entry_bytes=1 << 30, total_bytes=1 << 40)
SPLITS = ("metadata/splits/", "splits/", "metadata/", "data/splits/", "")
COLUMNS = ("utterance_id", "language", "aggregated_emotions", "transcript")
Scene = tuple[int, str, str, str]  # label, utterance id, language, transcript


def load_samsemo(data_dir: Path, languages: tuple[str, ...] = LANGUAGES) -> Decoded:
    """Read the scenes of some languages, one language after another.

    Raises:
        MissingData: the folder, the table, a list or a language's files are not there.
        CorruptData: the table or a list is garbled.
    """
    splits = {f"{half}_split_{language}.txt" for half in ("train", "test") for language in languages}
    wanted = {name: tuple(f"{place}{name}" for place in SPLITS) for name in sorted(splits)}
    wanted["samsemo.tsv"] = ("metadata/samsemo.tsv", "samsemo.tsv", "data/samsemo.tsv")
    folder, files = locate_inside(data_dir, FOLDER, (FOLDER, "samsemo"), wanted)
    scenes = read_table(files["samsemo.tsv"])
    archives = {language: find_archive(folder, language) for language in languages}
    halves = []
    for half in ("train", "test"):
        listed: list[Scene] = []
        for language in languages:
            listed += [scenes[i] for i in read_ids(files[f"{half}_split_{language}.txt"]) if i in scenes]
        halves.append(_half(archives, listed, f"{folder} ({half} lists)"))
    return Decoded(halves[0], halves[1], (folder,))


def read_table(path: Path) -> dict[str, Scene]:
    """Scenes with exactly one of the five emotions, by utterance id.

    Raises:
        CorruptData: no table with the columns that are needed.
    """
    with reading(path):
        text = path.read_text(encoding="utf-8-sig")
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        rows = list(reader)
    except csv.Error as error:
        raise CorruptData(f"{path} is no table ({error}): replace it by the official file") from error
    if absent:
        raise CorruptData(f"{path} has no column {absent[0]}: use the official file")
    found = {}
    for row in rows:
        emotions = emotions_of(row["aggregated_emotions"] or "")
        if len(emotions) == 1:
            name = row["utterance_id"]
            found[name] = (emotions[0], name, (row["language"] or "").upper(), row["transcript"] or "")
    return found


def emotions_of(text: str) -> list[int]:
    """Which of the five emotions a cell names, by number; any separators."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return [number for number, emotion in enumerate(EMOTIONS) if emotion in words]


def read_ids(path: Path) -> list[str]:
    """Utterance ids, one a line."""
    with reading(path):
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def find_archive(folder: Path, language: str) -> Path:
    """The folder or zip archive of a language below data/ or the top; its name has the code as its own word.

    Raises:
        MissingData: there is none.
    """
    word = re.compile(rf"(?:^|[^a-z]){language.lower()}(?:[^a-z]|$)")
    for place in (folder / "data", folder):
        found = sorted(place.iterdir()) if place.is_dir() else []
        for path in sorted(found, key=lambda p: not p.is_dir()):
            if (path.is_dir() or path.suffix.lower() == ".zip") and word.search(path.stem.lower()):
                return path
    looked = (f"{FOLDER}/data/{language}", f"{FOLDER}/data/{language}.zip")
    raise MissingData(f"no data/{language} or data/{language}.zip in {folder}", wanted=(FOLDER,), looked=looked)


class Scenes:
    """Files of scenes, found by name in the archives of several languages, which stay open while they are read."""

    def __init__(self, archives: dict[str, Path]) -> None:
        self.archives = archives
        self._open = ExitStack()
        self._trees: dict[str, tuple[ImageTree, dict[str, str]]] = {}

    def read(self, language: str, file: str) -> bytes | None:
        """The bytes of ``<utterance id>.mp4`` or ``.wav``; None if there is no such file.

        Raises:
            CorruptData: the archive is damaged.
        """
        if language not in self._trees:
            tree = self._open.enter_context(open_tree(self.archives[language], LIMITS))
            wanted = (name for name in tree.names() if name.lower().endswith((".mp4", ".wav")))
            self._trees[language] = (tree, {PurePosixPath(name).name: name for name in wanted})
        tree, names = self._trees[language]
        return tree.read(names[file]) if file in names else None


def _half(archives: dict[str, Path], listed: list[Scene], origin: str) -> Part:
    labels, names = [scene[0] for scene in listed], [scene[1] for scene in listed]
    return clip_part(labels, names, origin, MODALITIES, partial(_decode, Scenes(archives), listed))


def _decode(files: Scenes, listed: list[Scene], number: int) -> Sample:
    _, name, language, transcript = listed[number]
    if language not in files.archives:
        raise CorruptData(f"{name} is in {language or 'no language'}, its list is of another: use official files")
    clip = files.read(language, f"{name}.mp4")
    if clip is None:
        raise CorruptData(
            f"{files.archives[language]} has no {name}.mp4: download the official archive again, whole"
        )
    origin = f"{files.archives[language]}: {name}.mp4"
    wav = files.read(language, f"{name}.wav")
    sound = read_sound(clip if wav is None else wav, origin if wav is None else origin[:-3] + "wav", AST_RATE)
    sample = {"video": read_frames(clip, origin, FRAMES)}
    if sound is not None:
        sample["audio"] = ast_spectrogram(sound)
    if transcript.strip():
        sample["text"] = text_bytes(transcript)
    return sample


def text_bytes(text: str) -> np.ndarray:
    """The beginning of a text in UTF-8, uint8 (256,): whole characters, then zeros."""
    data = text.encode("utf-8")[:TEXT_BYTES].decode("utf-8", errors="ignore").encode("utf-8")
    return np.frombuffer(data.ljust(TEXT_BYTES, b"\0"), dtype=np.uint8)
