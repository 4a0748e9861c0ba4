"""Spoken and written digits from hand-made recordings and images; the real ones where RECOLLECT_DATA has them."""

import io
import zipfile

import numpy as np
import pytest
from scipy.io import wavfile

from recollect.datasets import CorruptData, MissingData, open_prepared, prepare, prepare_spec
from recollect.datasets.spoken_written import SOUND, SPEAKERS, load_spoken_written

TAKES = (0, 5, 6)


def recording(digit, speaker, take):
    """A tone whose pitch and length tell who said what."""
    n = 800 + 100 * take
    tone = np.sin(2 * np.pi * (300 + 150 * digit + 40 * SPEAKERS.index(speaker)) * np.arange(n) / 8000)
    return (tone * 20000).astype(np.int16)


def wav_bytes(x, rate=8000):
    stream = io.BytesIO()
    wavfile.write(stream, rate, x)
    return stream.getvalue()


def lay_out(data_dir, official, speakers=("theo", "lucas"), zipped=False):
    """Recordings of digits 0 to 9 by two speakers, takes 0 (test), 5 and 6; 100 + 40 images."""
    files = {
        f"recordings/{d}_{s}_{t}.wav": wav_bytes(recording(d, s, t))
        for d in range(10)
        for s in speakers
        for t in TAKES
    }
    data_dir.mkdir(parents=True, exist_ok=True)
    if zipped:
        with zipfile.ZipFile(data_dir / "fsdd.zip", "w") as archive:
            for name, data in reversed(files.items()):
                archive.writestr(f"free-spoken-digit-dataset-master/{name}", data)
            archive.writestr("free-spoken-digit-dataset-master/README.md", b"text")
    else:
        (data_dir / "fsdd" / "recordings").mkdir(parents=True)
        for name, data in files.items():
            (data_dir / "fsdd" / name).write_bytes(data)
    rng = np.random.default_rng(0)
    images = {}
    (data_dir / "mnist").mkdir()
    for stem, half, n in (("train", "train", 100), ("t10k", "test", 40)):
        x, y = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.permutation(np.arange(n) % 10)
        (data_dir / "mnist" / f"{stem}-images-idx3-ubyte").write_bytes(official.idx_bytes(x))
        (data_dir / "mnist" / f"{stem}-labels-idx1-ubyte").write_bytes(official.idx_bytes(y))
        images[half] = (x, y)
    return images


def prepared(tmp_path, official, name="spoken_written_digits", **changes):
    info = prepare_spec(official.spec(name, **changes), tmp_path / "data", tmp_path / name, progress=False)
    return info, open_prepared(tmp_path / name)


@pytest.mark.parametrize("zipped", [False, True])
def test_every_recording_has_its_own_image_of_its_digit(tmp_path, official, zipped):
    images = lay_out(tmp_path / "data", official, zipped=zipped)
    info, data = prepared(tmp_path, official)
    assert (info["train"]["n"], info["test"]["n"]) == (40, 20)
    for half, takes in (("train", TAKES[1:]), ("test", TAKES[:1])):
        x, y = images[half]
        expected = [(d, s, t) for d in range(10) for s in ("lucas", "theo") for t in takes]
        assert getattr(data, f"{half}_y").tolist() == [d for d, _, _ in expected]
        arrays = getattr(data, f"{half}_x").values
        for row, (digit, speaker, take) in enumerate(expected):
            assert np.array_equal(arrays["audio"][row], SOUND(recording(digit, speaker, take)))
            place = expected.index((digit, speaker, take)) - expected.index((digit, "lucas", takes[0]))
            assert np.array_equal(arrays["image"][row, 0], x[np.flatnonzero(y == digit)[place]])
        assert len({image.tobytes() for image in arrays["image"]}) == len(expected)


def test_the_speakers_share_out_the_pairs(tmp_path, official):
    """Data sets of single speakers hold the very pairs of the whole, each once."""
    lay_out(tmp_path / "data", official)
    _, whole = prepared(tmp_path, official)

    def pairs(data):
        arrays = data.train_x.values
        return sorted(a.tobytes() + b.tobytes() for a, b in zip(arrays["audio"], arrays["image"], strict=True))

    own = [prepared(tmp_path, official, f"spoken_written_digits_{s}")[1] for s in ("lucas", "theo")]
    assert [len(data.train_y) for data in own] == [20, 20]
    assert sorted(pairs(own[0]) + pairs(own[1])) == pairs(whole)


def test_a_damaged_recording_is_named_and_kept_as_a_gap(tmp_path, official):
    images = lay_out(tmp_path / "data", official)
    (tmp_path / "data/fsdd/recordings/3_lucas_5.wav").write_bytes(b"RIFF")
    info, data = prepared(tmp_path, official)
    assert info["unreadable"] == {"train": ["recordings/3_lucas_5.wav"], "test": []}
    assert np.flatnonzero(data.train_x.unreadable).tolist() == [12]
    assert not data.train_x.values["image"][12].any()
    assert data.train_x.values["image"][13, 0].tolist() == images["train"][0][images["train"][1] == 3][1].tolist()


def test_what_is_missing_is_told_of_both(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(MissingData) as caught:
        load_spoken_written(tmp_path / "data")
    assert "free-spoken-digit-dataset" in str(caught.value)
    assert "train-images-idx3-ubyte" in str(caught.value)
    assert len(caught.value.wanted) == 5


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "recordings/1_anna_0.wav").write_bytes(b""), "recordings of anna"),
        (lambda f: [p.unlink() for p in (f / "recordings").iterdir()], "no recordings/"),
        (
            lambda f: (
                (f / "copy/recordings").mkdir(parents=True),
                (f / "copy/recordings/1_theo_0.wav").write_bytes((f / "recordings/1_theo_0.wav").read_bytes()),
            ),
            "1_theo_0.wav in more than one folder",
        ),
        (lambda f: [(f / "recordings" / f"4_theo_{t}.wav").write_bytes(b"") for t in range(5, 60)], "images of 4"),
    ],
)
def test_other_archives_are_refused(tmp_path, official, spoil, words):
    lay_out(tmp_path / "data", official)
    spoil(tmp_path / "data" / "fsdd")
    with pytest.raises(CorruptData, match=words):
        prepared(tmp_path, official)


def test_counts_are_checked(tmp_path, official):
    lay_out(tmp_path / "data", official)
    with pytest.raises(CorruptData, match=r"40 .* where 2,700 are expected"):
        prepared(tmp_path, official, train_counts=(270,) * 10)


@pytest.mark.parametrize("name", ["spoken_written_digits", "spoken_written_digits_theo"])
def test_the_real_recordings(tmp_path, real_data, name):
    try:
        info = prepare(name, real_data, tmp_path, offline=True, progress=False)
    except MissingData as error:
        pytest.skip(f"set RECOLLECT_DATA to a data_dir with fsdd and mnist to run this: {error}")
    assert info["verified"] == "known content"
