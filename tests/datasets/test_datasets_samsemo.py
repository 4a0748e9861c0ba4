"""SAMSEMO from a hand-made archive: folders and zip archives of languages, a table, lists of ids."""

import shutil
import zipfile

import numpy as np
import pytest
from clip_files import RATE, tone, write_clip
from scipy.io import wavfile

from recollect.datasets import CorruptData, MissingData, open_prepared, prepare_spec
from recollect.datasets.samsemo import LANGUAGES, emotions_of, text_bytes
from recollect.datasets.sound import ast_spectrogram

SCENES = {  # id: (language, emotions, transcript, half)
    "en1_0": ("EN", "happiness", "So good!", "train"),
    "en1_1": ("EN", "['sadness']", 'It\'s "over"', "train"),
    "en1_2": ("EN", "anger, sadness", "two at once", "train"),
    "en1_3": ("EN", "disgust", "not of the five", "train"),
    "en2_0": ("EN", "neutral", "", "test"),
    "pl1_0": ("PL", "anger", "Zażółć gęślą jaźń", "train"),
    "pl1_1": ("PL", "surprise", "Ojej", "test"),
}


def write_table(path):
    columns = ("utterance_id", "movie_title", "language", "aggregated_emotions", "transcript")
    lines = ["\t".join(columns)]
    lines += [f"{name}\tA film\t{lang}\t{feeling}\t{text}" for name, (lang, feeling, text, _) in SCENES.items()]
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data" / "SAMSEMO"
    write_table(folder / "metadata" / "samsemo.tsv")
    for number, (name, (language, *_)) in enumerate(SCENES.items()):
        clip = folder / "data" / language / "scenes" / f"{name}.mp4"
        write_clip(clip, [30 * number, 30 * number + 10], sound=None if name == "en2_0" else tone(500, 0.5))
        if name == "en1_0":
            wavfile.write(clip.with_suffix(".wav"), RATE, (tone(900, 0.5) * 2**15).astype(np.int16))
    for language in LANGUAGES:
        for half in ("train", "test"):
            path = folder / "metadata" / "splits" / f"{half}_split_{language}.txt"
            path.parent.mkdir(exist_ok=True)
            chosen = [name for name, scene in SCENES.items() if (scene[0], scene[3]) == (language, half)]
            path.write_text("\n".join(chosen) + "\n")
    zipped = folder / "data" / "samsemo_PL.zip"  # Polish comes zipped
    with zipfile.ZipFile(zipped, "w") as archive:
        for path in sorted((folder / "data" / "PL").rglob("*.mp4")):
            archive.write(path, f"PL/combined/{path.name}")
    shutil.rmtree(folder / "data" / "PL")
    return tmp_path / "data"


def prepared(tmp_path, official, name):
    info = prepare_spec(official.spec(name), tmp_path / "data", tmp_path / name, progress=False)
    return info, open_prepared(tmp_path / name)


@pytest.mark.usefixtures("data_dir")
def test_scenes_of_one_emotion_with_what_they_have(tmp_path, official):
    info, data = prepared(tmp_path, official, "samsemo_en")
    assert data.train_y.tolist() == [1, 2]
    assert data.test_y.tolist() == [4]
    assert data.train_x.present.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert data.test_x.present.tolist() == [[1, 0, 0]]
    texts = [bytes(row).rstrip(b"\0").decode() for row in data.train_x.values["text"]]
    assert texts == ["So good!", 'It\'s "over"']
    spoken = np.trunc(tone(900, 0.5) * 2**15) / 2**15  # the wav file goes before the video's sound
    assert np.array_equal(data.train_x.values["audio"][0], ast_spectrogram(spoken))
    shades = data.train_x.values["video"].reshape(2, -1).mean(axis=1)
    assert np.abs(shades - [5, 35]).max() < 4
    assert "unreadable" not in info


@pytest.mark.usefixtures("data_dir")
def test_a_zip_archive_is_read_where_it_is(tmp_path, official):
    _, data = prepared(tmp_path, official, "samsemo_pl")
    assert (data.train_y.tolist(), data.test_y.tolist()) == ([0], [3])
    assert bytes(data.train_x.values["text"][0]).rstrip(b"\0").decode() == "Zażółć gęślą jaźń"
    assert not list((tmp_path / "data").rglob("combined"))


def test_other_languages_are_asked_for_by_name(tmp_path, official, data_dir):
    with pytest.raises(MissingData, match=r"samsemo_ko: no data/KO or data/KO\.zip.*huggingface"):
        prepared(tmp_path, official, "samsemo_ko")
    (data_dir / "SAMSEMO/metadata/splits/train_split_EN.txt").unlink()
    with pytest.raises(MissingData, match=r"train_split_EN\.txt not found"):
        prepared(tmp_path, official, "samsemo_en")


def test_nothing_readable_is_an_error(tmp_path, official, data_dir):
    (data_dir / "SAMSEMO/data/EN/scenes/en1_1.mp4").write_bytes(b"broken")
    (data_dir / "SAMSEMO/data/EN/scenes/en1_0.mp4").unlink()
    with pytest.raises(CorruptData, match=r"none of its 2 samples could be read, first en1_0"):
        prepared(tmp_path, official, "samsemo_en")


def test_a_scene_in_another_language_is_a_gap(tmp_path, official, data_dir):
    listed = data_dir / "SAMSEMO/metadata/splits/train_split_EN.txt"
    listed.write_text(listed.read_text() + "pl1_0\n")
    info, data = prepared(tmp_path, official, "samsemo_en")
    assert info["unreadable"]["train"] == ["pl1_0"]
    assert data.train_x.unreadable.tolist() == [False, False, True]


def test_a_table_without_its_columns_is_refused(tmp_path, official, data_dir):
    (data_dir / "SAMSEMO/metadata/samsemo.tsv").write_text("utterance_id\tlanguage\n")
    with pytest.raises(CorruptData, match="no column aggregated_emotions"):
        prepared(tmp_path, official, "samsemo_en")
    (data_dir / "SAMSEMO/metadata/samsemo.tsv").write_text("utterance_id\tlanguage\n" + "a" * 200_000 + "\n")
    with pytest.raises(CorruptData, match=r"samsemo\.tsv is no table"):
        prepared(tmp_path, official, "samsemo_en")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("happiness", [1]), ("['anger', 'neutral']", [0, 4]), ("Sadness;fear", [2]), ("other", []), ("", [])],
)
def test_emotions_are_found_whatever_separates_them(text, numbers):
    assert emotions_of(text) == numbers


def test_texts_are_cut_at_a_character():
    assert bytes(text_bytes("ab")) == b"ab" + bytes(254)
    cut = bytes(text_bytes("ż" * 200))
    assert cut == ("ż" * 128).encode()
    assert bytes(text_bytes("a" + "ż" * 200)) == ("a" + "ż" * 127).encode() + b"\0"
