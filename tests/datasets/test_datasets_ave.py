"""AVE from a hand-made archive: three-picture clips in the official layout."""

import numpy as np
import pytest
from clip_files import RATE, tone, write_clip

from recollect.datasets import CorruptData, MissingData, open_prepared, prepare_spec
from recollect.datasets.ave import FRAMES, MODALITIES
from recollect.datasets.sound import ast_spectrogram
from recollect.datasets.video import read_frames, read_sound

CATEGORIES = [f"Sound {i}, number" for i in range(28)]
TRAIN = [("Sound 3, number", "aa-_1"), ("Sound 0, number", "bb"), ("Sound 3, number", "quiet")]
TEST = [("Sound 27, number", "cc")]


def line(category, video):
    return f"{category}&{video}&good&0&10\n"


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data" / "AVE_Dataset"
    for number, (_, video) in enumerate(TRAIN + TEST):
        sound = None if video == "quiet" else tone(300 + 200 * number, 0.3 + 0.2 * number)
        write_clip(folder / "AVE" / f"{video}.mp4", [40 * number, 40 * number + 20, 40 * number + 40], sound=sound)
    rows = [(category, f"v{i}") for i, category in enumerate(CATEGORIES)] + TRAIN + TEST
    (folder / "Annotations.txt").write_text(
        "Category&VideoID&Quality&StartTime&EndTime\n" + "".join(line(*row) for row in rows)
    )
    (folder / "trainSet.txt").write_text("".join(line(*row) for row in TRAIN))
    (folder / "testSet.txt").write_text("".join(line(*row) for row in TEST))
    (folder / "valSet.txt").write_text(line("Sound 5, number", "unused"))
    return tmp_path / "data"


def prepared(tmp_path, official):
    info = prepare_spec(official.spec("ave"), tmp_path / "data", tmp_path / "out", progress=False)
    return info, open_prepared(tmp_path / "out")


@pytest.mark.usefixtures("data_dir")
def test_clips_of_unequal_lengths_in_the_order_of_the_lists(tmp_path, official):
    info, data = prepared(tmp_path, official)
    assert info["dataset"] == "ave"
    assert data.train_y.tolist() == [3, 0, 3]
    assert data.test_y.tolist() == [27]
    assert data.train_x.present.tolist() == [[1, 1], [1, 1], [1, 0]]
    clips = tmp_path / "data/AVE_Dataset/AVE"
    for row, (_, video) in enumerate(TRAIN):
        path = clips / f"{video}.mp4"
        assert np.array_equal(data.train_x.values["video"][row], read_frames(path, video, FRAMES))
        sound = read_sound(path, video, RATE)
        expected = 0 if sound is None else ast_spectrogram(sound)
        assert np.array_equal(data.train_x.values["audio"][row], np.zeros((1024, 128)) + expected)
    assert data.train_x.values["audio"].dtype == np.float16
    assert [m["shape"] for m in info["modalities"]] == [list(m.shape) for m in MODALITIES]
    assert info["files"] == [{"path": "AVE_Dataset/", "bytes": info["files"][0]["bytes"], "sha256": None}]


def test_absent_and_damaged_clips_are_gaps_with_names(tmp_path, official, data_dir, caplog):
    (data_dir / "AVE_Dataset/AVE/bb.mp4").write_bytes(b"<html>404</html>")
    (data_dir / "AVE_Dataset/AVE/aa-_1.mp4").unlink()
    info, data = prepared(tmp_path, official)
    assert info["unreadable"] == {"train": ["aa-_1.mp4", "bb.mp4"], "test": []}
    assert data.train_x.unreadable.tolist() == [True, True, False]
    assert "bb.mp4 cannot be decoded" in caplog.text
    assert "aa-_1.mp4 is not there" in caplog.text


@pytest.mark.parametrize("name", ["AVE_Dataset", "trainSet.txt", "AVE"])
@pytest.mark.parametrize("offline", [True, False])
def test_what_is_missing_is_told_with_where_to_get_it(tmp_path, official, data_dir, name, offline):
    path = data_dir / ("AVE_Dataset" if name == "AVE_Dataset" else f"AVE_Dataset/{name}")
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(MissingData, match=f"ave: .*{name} not found.*no address.*YapengTian"):
        prepare_spec(official.spec("ave"), data_dir, tmp_path / "out", offline=offline, progress=False)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("trainSet.txt", "Sound 3, number\n", "trainSet.txt, line 1, is not category"),
        ("trainSet.txt", "Sound 3, number&../../etc&good&0&10\n", "trainSet.txt, line 1, is not category"),
        ("testSet.txt", "Thunder&aa&good&0&10\n", "testSet.txt has the category 'Thunder'"),
        ("Annotations.txt", "Bark&aa&good&0&10\n", "names 1 categories where 28"),
    ],
)
def test_garbled_lists_are_refused(tmp_path, official, data_dir, file, text, words):
    (data_dir / "AVE_Dataset" / file).write_text(text)
    with pytest.raises(CorruptData, match=words):
        prepared(tmp_path, official)
