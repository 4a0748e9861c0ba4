"""Arrays in folders and archives, honest and hostile."""

import io
import tarfile

import numpy as np
import pytest

from recollect.datasets.errors import CorruptData
from recollect.robustness.npy import list_npy


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def write_tar(path, entries, mode="w", links=()):
    with tarfile.open(path, mode) as archive:
        for name, body in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return path


ARRAYS = {"fog": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "labels": np.arange(5)}


def test_folder_and_archive_read_alike(tmp_path):
    folder = tmp_path / "C"
    folder.mkdir()
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "README.txt").write_text("words")
    entries = {f"C/{name}.npy": npy(array) for name, array in ARRAYS.items()}
    extra = {"C/README.txt": b"words", "C/extra/more.npy": b"x", "C/._fog.npy": b"x"}
    archive = write_tar(tmp_path / "C.tar", {**entries, **extra})
    for path in (folder, archive):
        files = list_npy(path)
        assert [file.name for file in files] == ["fog", "labels"]
        for file in files:
            mapped = file.open()
            assert np.array_equal(mapped, ARRAYS[file.name])
            assert not mapped.flags.writeable


@pytest.mark.parametrize("name", ["../fog.npy", "/fog.npy"])
def test_entries_that_point_outside_are_refused(tmp_path, name):
    with pytest.raises(CorruptData, match="points outside"):
        list_npy(write_tar(tmp_path / "C.tar", {name: npy(ARRAYS["fog"])}))


def test_links_are_refused(tmp_path):
    with pytest.raises(CorruptData, match="is a link"):
        list_npy(write_tar(tmp_path / "C.tar", {}, links=["C/fog.npy"]))


def test_a_compressed_archive_is_no_place_to_map_arrays_in(tmp_path):
    path = write_tar(tmp_path / "C.tar", {"C/fog.npy": npy(ARRAYS["fog"])}, "w:gz")
    with pytest.raises(CorruptData, match=r"C.tar is truncated or damaged"):
        list_npy(path)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (npy(ARRAYS["fog"])[:-1], "truncated or has bytes after its end"),
        (npy(ARRAYS["fog"]) + b"x", "truncated or has bytes after its end"),
        (npy(np.array([{"a": 1}], dtype=object)), "holds Python objects"),
        (b"not numpy at all", "damaged"),
        (npy(np.asfortranarray(ARRAYS["fog"])), "column by column"),
    ],
)
def test_what_is_no_plain_array_is_named(tmp_path, body, says):
    (tmp_path / "fog.npy").write_bytes(body)
    (file,) = list_npy(tmp_path)
    with pytest.raises(CorruptData, match=says) as error:
        file.open()
    assert "fog.npy" in str(error.value)


def test_a_truncated_archive_is_named(tmp_path):
    path = write_tar(tmp_path / "C.tar", {"C/fog.npy": npy(np.zeros(5000, np.uint8))})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CorruptData, match=r"C\.tar"):
        [file.open() for file in list_npy(path)]
