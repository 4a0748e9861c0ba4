"""Files are written whole or not at all, and every failure is one sentence."""

import errno
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from recollect.errors import RecollectError
from recollect.files import (
    canonical_json,
    read_json,
    sha256_file,
    sha256_text,
    write_bytes,
    write_json,
    write_text,
    write_with,
)


@pytest.fixture
def old(tmp_path):
    """A file that must survive; nothing may be left beside it."""
    path = tmp_path / "kept.json"
    path.write_text("old")
    yield path
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["kept.json"]


def refused(path, writer):
    with pytest.raises(RecollectError) as error:
        write_with(path, writer)
    assert str(error.value).startswith(f"cannot write {path}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


FULL = "the disk is full: free some space and run the same command again, finished work is kept"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_disk_that_is_full_while_writing(old):
    def writer(file):
        file.write(b"half of the new")
        with open("/dev/full", "wb", buffering=0) as full:  # a real ENOSPC from the kernel
            full.write(b"x")

    assert refused(old, writer).endswith(FULL)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_disk_that_is_full_at_the_last_moment(old, monkeypatch, call):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    text = refused(old, lambda file: file.write(b"new"))
    monkeypatch.undo()
    assert text.endswith(FULL)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "it lies on a read-only file system: choose a folder that can be written"),
        (errno.EACCES, "it may not be written: check the permissions of the folder"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_folder_that_takes_no_file(old, monkeypatch, code, says):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", fail)
    text = refused(old, lambda file: file.write(b"new"))
    monkeypatch.undo()
    assert says in text


@pytest.fixture
def as_a_common_user():
    """Root may write anywhere, so tests that run as root become somebody else for a moment."""
    nobody = 65534
    root = os.geteuid() == 0
    yield lambda: os.seteuid(nobody) if root else None
    if root:
        os.seteuid(0)


@pytest.fixture
def read_only():
    """A read-only folder with one file, where every user can reach it (pytest's own folders are private)."""
    folder = Path(tempfile.mkdtemp())
    (folder / "kept").write_text("old")
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    assert (folder / "kept").read_text() == "old"
    assert os.listdir(folder) == ["kept"]
    shutil.rmtree(folder)


def test_read_only_folder(read_only, as_a_common_user):
    as_a_common_user()
    assert "it may not be written: check the permissions" in refused(read_only / "kept", lambda f: f.write(b"new"))
    assert "it may not be written" in refused(read_only / "sub" / "new", lambda f: f.write(b"new"))


def test_file_in_place_of_the_folder(old):
    refused(old / "below" / "x.json", lambda file: file.write(b"new"))


def test_folder_in_place_of_the_file(tmp_path):
    (tmp_path / "x").mkdir()
    refused(tmp_path / "x", lambda file: file.write(b"new"))
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_interrupted_writer_leaves_the_old_file(old, error):
    def writer(file):
        file.write(b"half of the new")
        raise error

    with pytest.raises(error):
        write_with(old, writer)


def test_file_that_json_cannot_hold_leaves_the_old_one(old):
    with pytest.raises(ValueError, match="JSON"):
        write_json(old, {"x": float("nan")})


def test_written_whole_into_folders_that_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "x.bin"
    write_bytes(path, b"\x00\xff")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["x.bin"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_text(path, "\u00e9")
    assert path.read_bytes() == b"\xc3\xa9"


def test_reader_sees_the_old_file_until_the_rename(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")

    def writer(file):
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"

    write_with(path, writer)
    assert path.read_text() == "new"


def test_json_comes_back(tmp_path):
    value = {"b": [1, 2.5, None, "\u00e9"], "a": {"x": True}}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json", "") == value
    first = (tmp_path / "x.json").read_bytes()
    write_json(tmp_path / "x.json", dict(reversed(value.items())))
    assert (tmp_path / "x.json").read_bytes() == first


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"{'a': 1}"])
def test_damaged_json_says_what_to_do(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(RecollectError) as error:
        read_json(path, "delete it")
    assert str(error.value).startswith(f"{path} is damaged (")
    assert str(error.value).endswith("): delete it")


def test_missing_json_says_what_to_do(tmp_path):
    with pytest.raises(RecollectError, match=r"x\.json is missing: run the split step"):
        read_json(tmp_path / "x.json", "run the split step")


def test_canonical_json_is_one_text_for_equal_values():
    assert canonical_json({"b": 1, "a": [1.5, None]}) == canonical_json({"a": [1.5, None], "b": 1})
    assert canonical_json({"b": 1, "a": [1.5, None, True, "x"]}) == '{"a":[1.5,null,true,"x"],"b":1}'
    assert canonical_json({"a": 1}) != canonical_json({"a": 1.0})
    assert json.loads(canonical_json({"\u00e9": 1})) == {"\u00e9": 1}
    with pytest.raises(ValueError, match="JSON"):
        canonical_json([float("inf")])


def test_checksums_of_a_published_vector(tmp_path):
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_text("abc") == sha256_file(tmp_path / "abc") == abc
