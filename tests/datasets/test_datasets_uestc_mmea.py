"""UESTC-MMEA-CL from a hand-made archive, and its sensors against scipy."""

import numpy as np
import pytest
import scipy.signal
from clip_files import write_clip

from recollect.datasets import CorruptData, MissingData, open_prepared, prepare_spec
from recollect.datasets.uestc_mmea import PER_G, STEPS, read_list, read_sensor

TRAIN = ["1_upstairs/1_up_01", "32_watch_TV/32_tv_01", "1_upstairs/1_up_02"]
TEST = ["7_drinking/7_dr_01"]


def raw(n, seed=0):
    """Sensor readings (n, 6) as the glasses give them."""
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(size=(n, 6)) * [8000, 8000, 16384, 500, 500, 500] + [0, 0, 0, 30, -20, 7])


def write_sensor(path, table, header="ax,ay,az,gx,gy,gz,time\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "".join(",".join(f"{v:g}" for v in (*row, 1.5)) + "\n" for row in table))


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data" / "UESTC-MMEA-CL"
    for number, clip in enumerate(TRAIN + TEST):
        write_clip(folder / "video" / f"{clip}.mp4", [50 * number] * (2 + number))
        write_sensor(folder / "sensor" / f"{clip}.csv", raw(40 + 300 * number, number))
    (folder / "train.txt").write_text(
        "".join(f"yourdataset_path/data/{clip} 120 {i}\n" for i, clip in enumerate(TRAIN))
    )
    (folder / "test.txt").write_text("".join(f"{clip}.mp4\n" for clip in TEST))
    (folder / "val.txt").write_text("1_upstairs/none\n")
    return tmp_path / "data"


def prepared(tmp_path, official):
    info = prepare_spec(official.spec("uestc_mmea"), tmp_path / "data", tmp_path / "out", progress=False)
    return info, open_prepared(tmp_path / "out")


@pytest.mark.usefixtures("data_dir")
def test_three_modalities_of_unequal_lengths(tmp_path, official):
    info, data = prepared(tmp_path, official)
    assert data.train_y.tolist() == [0, 31, 0]
    assert data.test_y.tolist() == [6]
    assert [m["name"] for m in info["modalities"]] == ["video", "accelerometer", "gyroscope"]
    assert data.train_x.present.all()
    shades = data.train_x.values["video"].reshape(3, -1).mean(axis=1)
    assert np.abs(shades - [0, 50, 100]).max() < 3
    for row, clip in enumerate(TRAIN):
        acceleration, rotation = read_sensor(tmp_path / f"data/UESTC-MMEA-CL/sensor/{clip}.csv")
        assert np.array_equal(data.train_x.values["accelerometer"][row], acceleration)
        assert np.array_equal(data.train_x.values["gyroscope"][row], rotation)


@pytest.mark.parametrize("n", [5, STEPS, 700])
@pytest.mark.parametrize("header", ["ax,ay,az,gx,gy,gz,time\n", ""])
def test_sensors_are_filtered_and_made_equally_long(tmp_path, n, header):
    """Inside the clip against scipy's median filter; the two readings at either end see fewer neighbours."""
    table = raw(n)
    write_sensor(tmp_path / "a.csv", table, header)
    acceleration, rotation = read_sensor(tmp_path / "a.csv")
    assert acceleration.shape == rotation.shape == (3, STEPS)
    filtered = np.stack([scipy.signal.medfilt(axis, 5) for axis in table.T])
    for row in (0, 1, n - 2, n - 1):
        filtered[:, row] = np.median(table[max(0, row - 2) : row + 3], axis=0)
    drift = np.median(filtered[3:], axis=1, keepdims=True)
    if n == STEPS:
        np.testing.assert_allclose(acceleration, filtered[:3] / PER_G, rtol=1e-6)
        np.testing.assert_allclose(rotation, (filtered[3:] - drift) / 1640, rtol=1e-5, atol=1e-7)
    for ends, expected in ((acceleration, filtered[:3] / PER_G), (rotation, (filtered[3:] - drift) / 1640)):
        np.testing.assert_allclose(ends[:, [0, -1]], expected[:, [0, -1]], rtol=1e-5, atol=1e-7)
    if n == 5:  # 255 steps over 4 intervals: point 51 of each five lies at reading 0.8
        at = 51 * 4 / 255
        expected = (1 - at) * filtered[:3, 0] + at * filtered[:3, 1]
        np.testing.assert_allclose(acceleration[:, 51], expected / PER_G, rtol=1e-5)


def test_an_outlier_and_a_constant_drift_vanish(tmp_path):
    table = np.zeros((50, 6))
    table[:, 3:] = 25
    table[20] = 30000
    write_sensor(tmp_path / "a.csv", table)
    acceleration, rotation = read_sensor(tmp_path / "a.csv")
    assert not acceleration.any()
    assert not rotation.any()


@pytest.mark.parametrize(
    "text", ["", "a,b\n", "1,2,3,4,5,6\n", "1,2,3,4,5,6\n1,2,3\n", "1,2,3,4,5,x\n" * 3, "nan," * 6]
)
def test_damaged_sensor_files_are_named(tmp_path, text):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(CorruptData, match=r"bad\.csv"):
        read_sensor(tmp_path / "bad.csv")


def test_gaps_have_names(tmp_path, official, data_dir):
    (data_dir / f"UESTC-MMEA-CL/sensor/{TRAIN[0]}.csv").unlink()
    (data_dir / f"UESTC-MMEA-CL/video/{TRAIN[1]}.mp4").write_bytes(b"")
    info, data = prepared(tmp_path, official)
    assert info["unreadable"] == {"train": TRAIN[:2], "test": []}
    assert not data.train_x.present[:2].any()


def test_missing_parts_are_told(tmp_path, official, data_dir):
    (data_dir / "UESTC-MMEA-CL/sensor").rename(tmp_path / "elsewhere")
    with pytest.raises(MissingData, match=r"uestc_mmea: .*sensor not found.*no address.*ivipclab"):
        prepared(tmp_path, official)


@pytest.mark.parametrize("text", ["33_flying/a\n", "upstairs/a\n", "0_none/a 3\n", "1_upstairs\n", "../../1_up\n"])
def test_garbled_lists_are_refused(tmp_path, text):
    (tmp_path / "train.txt").write_text(text)
    with pytest.raises(CorruptData, match=r"train\.txt, line 1"):
        read_list(tmp_path / "train.txt")
