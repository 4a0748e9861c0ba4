import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from recollect.datasets.errors import CannotWrite, CorruptData, MissingData
from recollect.datasets.prepare import prepare_spec
from recollect.datasets.store import NpyWriter, open_prepared, writing
from recollect.files import unsealed


@pytest.fixture
def prepared(tmp_path, official):
    official.mnist(tmp_path / "data")
    out = tmp_path / "out"
    prepare_spec(official.spec("mnist"), tmp_path / "data", out, progress=False)
    return out


def test_arrays_are_memory_maps(prepared):
    opened = open_prepared(prepared)
    assert isinstance(opened.train_x, np.memmap)
    assert opened.train_x.shape == (20, 1, 28, 28)
    assert opened.info["dataset"] == "mnist"
    with pytest.raises(ValueError, match="read-only"):
        opened.train_x[0] = 1


def test_nothing_prepared(tmp_path):
    with pytest.raises(MissingData, match="No prepared data set"):
        open_prepared(tmp_path)


def replace_info(out, **changes):
    info = unsealed(json.loads((out / "dataset.json").read_text()))
    (out / "dataset.json").write_text(json.dumps({**info, **changes}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda out: (out / "dataset.json").write_text('{"schema": 1,'), "cannot be read"),
        (lambda out: (out / "dataset.json").write_text("[]"), "not of schema 1"),
        (lambda out: replace_info(out, schema=2), "not of schema 1"),
        (lambda out: replace_info(out, files=None, train={}), "files, train"),
        (lambda out: replace_info(out, dtype="float16", value_range=[0.0, 1.0]), "garbles dtype:"),
        (lambda out: replace_info(out, dtype="float32"), "garbles value_range:"),
        (lambda out: replace_info(out, dtype="float32", value_range=[0, 1.0]), "garbles value_range:"),
        (lambda out: replace_info(out, dtype="float32", value_range=[0.0]), "garbles value_range:"),
        (lambda out: replace_info(out, dtype="float32", value_range=[0.0, 1.0]), r"is uint8 .* says float32"),
        (lambda out: replace_info(out, input_shape=[3, 28, 28]), "dataset.json says"),
        (lambda out: (out / "train_x.npy").unlink(), "train_x.npy cannot be opened"),
        (lambda out: (out / "train_x.npy").write_bytes(b""), "train_x.npy cannot be opened"),
        (
            lambda out: (out / "train_x.npy").write_bytes((out / "train_x.npy").read_bytes()[:-1]),
            "cannot be opened",
        ),
        (
            lambda out: (out / "test_y.npy").write_bytes((out / "test_y.npy").read_bytes() + b"1"),
            "after its end",
        ),
        (lambda out: np.save(out / "test_y.npy", np.zeros(10, np.int32)), "int32"),
        (lambda out: np.save(out / "test_y.npy", np.zeros(9, np.int64)), r"\(9,\)"),
        (lambda out: np.save(out / "test_y.npy", np.array([{}]), allow_pickle=True), "cannot be opened"),
    ],
)
def test_damage_says_what_to_delete(prepared, damage, says):
    damage(prepared)
    with pytest.raises(CorruptData, match=says) as error:
        open_prepared(prepared)
    assert f"delete {prepared} and prepare the data set again" in str(error.value)


def test_full_disk_is_told():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full, a Linux device that is always full")
    with pytest.raises(CannotWrite, match="No space left on device"):
        NpyWriter(full, np.dtype("u1"), (10_000_000,)).write(np.zeros(10_000_000, np.uint8))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
def test_write_errors_become_a_sentence(tmp_path, code):
    with pytest.raises(CannotWrite, match=os.strerror(code)), writing(tmp_path):
        raise OSError(code, os.strerror(code))


def test_writer_matches_numpy(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    writer = NpyWriter(tmp_path / "x.npy", array.dtype, array.shape)
    writer.write(array[:1])
    writer.write(array[1:])
    writer.close()
    np.save(tmp_path / "y.npy", array)
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()


def test_writer_refuses_what_does_not_fit(tmp_path):
    writer = NpyWriter(tmp_path / "x.npy", np.dtype("u1"), (2, 3))
    for block in (np.zeros((1, 4), np.uint8), np.zeros((1, 3)), np.zeros((3, 3), np.uint8)):
        with pytest.raises(ValueError, match="does not fit"):
            writer.write(block)
    with pytest.raises(ValueError, match="0 rows written of 2"):
        writer.close()
    writer.abandon()
