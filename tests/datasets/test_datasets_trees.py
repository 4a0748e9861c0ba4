import io
import stat
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from recollect.datasets.errors import CorruptData
from recollect.datasets.images import decode_image
from recollect.datasets.trees import MAX_ENTRY_BYTES, open_tree


def write_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries.items():
            archive.writestr(name, body)
    return path


def test_folder_and_zip_read_alike(tmp_path):
    folder = tmp_path / "folder"
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/c.png").write_bytes(b"c")
    (folder / "d.png").write_bytes(b"d")
    archive = write_zip(tmp_path / "x.zip", {"a/b/c.png": b"c", "d.png": b"d"})
    for path in (folder, archive):
        with open_tree(path) as tree:
            assert {name: tree.read(name) for name in tree.names()} == {"a/b/c.png": b"c", "d.png": b"d"}


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.png", "a/../../up.png", "..\\up.png", "C:/x.png"])
def test_entries_that_point_outside_are_refused(tmp_path, name):
    path = write_zip(tmp_path / "x.zip", {"good.png": b"1", name: b"2"})
    with pytest.raises(CorruptData, match="points outside"), open_tree(path):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.zip"]


def test_symbolic_links_are_refused(tmp_path):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(CorruptData, match="is a link"), open_tree(path):
        pass


def test_entry_without_a_name_is_no_folder_and_no_crash(tmp_path):
    path = write_zip(tmp_path / "x.zip", {"a/b.png": b"1"})
    path.write_bytes(path.read_bytes().replace(b"a/b.png", b"\0/b.png"))  # zipfile cuts names at a zero byte
    with open_tree(path) as tree:
        assert list(tree.names()) == [""]


def test_absurd_size_is_refused_before_unpacking(tmp_path):
    path = write_zip(tmp_path / "x.zip", {"bomb.png": bytes(MAX_ENTRY_BYTES + 1)})
    with pytest.raises(CorruptData, match="claims to unpack to"), open_tree(path):
        pass


def test_size_that_lies_is_caught(tmp_path):
    path = write_zip(tmp_path / "x.zip", {"bomb.png": bytes(MAX_ENTRY_BYTES + 1)})
    body = bytearray(path.read_bytes())
    at = body.rindex(b"PK\x01\x02")
    struct.pack_into("<L", body, at + 24, 10)
    path.write_bytes(bytes(body))
    with open_tree(path) as tree, pytest.raises(CorruptData, match="damaged"):
        tree.read("bomb.png")


def test_total_size_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("recollect.datasets.trees.MAX_TOTAL_BYTES", 15)
    path = write_zip(tmp_path / "x.zip", {"a.png": bytes(10), "b.png": bytes(10)})
    with pytest.raises(CorruptData, match="claims to unpack to 20"), open_tree(path):
        pass


def test_encrypted_entry(tmp_path):
    path = write_zip(tmp_path / "x.zip", {"a.png": b"abc"})
    body = bytearray(path.read_bytes())
    body[6] |= 1
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(body))
    with open_tree(path) as tree, pytest.raises(CorruptData, match="encrypted"):
        tree.read("a.png")


def test_folder_file_too_large(tmp_path):
    (tmp_path / "a.png").write_bytes(bytes(MAX_ENTRY_BYTES + 1))
    with open_tree(tmp_path) as tree, pytest.raises(CorruptData, match="too big"):
        tree.read("a.png")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_flipped_byte_reads_or_is_named(tmp_path, position, value):
    path = write_zip(tmp_path / "x.zip", {"a/b.png": bytes(range(200)), "c.png": b"c" * 50})
    body = bytearray(path.read_bytes())
    body[position % len(body)] = value
    path.write_bytes(bytes(body))
    told = str(path)
    try:
        with open_tree(path) as tree:
            for name in tree.names():
                tree.read(name)
    except CorruptData as error:
        told = str(error)
    assert str(path) in told


def png(width=4, height=4):
    stream = io.BytesIO()
    Image.fromarray(np.arange(width * height, dtype=np.uint8).reshape(height, width)).save(stream, "PNG")
    return stream.getvalue()


def test_image_is_decoded_to_the_mode_asked_for():
    assert np.asarray(decode_image(png(), "L", "x")).shape == (4, 4)
    assert np.asarray(decode_image(png(), "RGB", "x")).shape == (4, 4, 3)


@pytest.mark.parametrize("side", [5_000, 15_000, 60_000])
def test_images_that_claim_too_much_are_refused(side):
    body = bytearray(png())
    struct.pack_into(">LL", body, 16, side, side)
    struct.pack_into(">L", body, 29, zlib.crc32(bytes(body[12:29])))
    with pytest.raises(CorruptData, match=r"too big|exceeds limit"):
        decode_image(bytes(body), "L", "bomb.png")


@pytest.mark.parametrize("body", [b"", b"GIF89a", png()[:40], png()[:-30], b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_bad_images_are_named(body):
    with pytest.raises(CorruptData, match=r"bad.png is not a readable image"):
        decode_image(body, "L", "bad.png")
