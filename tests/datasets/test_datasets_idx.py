import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recollect.datasets.errors import CorruptData
from recollect.datasets.idx import read_idx


def test_hand_made_bytes_are_read(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8, 9, 255]))
    assert read_idx(path, 3).tolist() == [[[7, 8]], [[9, 255]]]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda body: body[:-1], "truncated"),
        (lambda body: body[:10], "truncated"),
        (lambda body: body[:2], "magic number"),
        (lambda body: b"", "magic number"),
        (lambda body: body + b"\0", "bytes after its end"),
        (lambda body: b"\0\0\x08\x01" + body[4:], "magic number 2049 where 2051"),
        (lambda body: b"\x89PNG" + body[4:], "magic number"),
        (lambda body: body[:4] + b"\xff" * 12 + body[16:], "refused"),
    ],
)
def test_damage_is_named(tmp_path, official, zipped, damage, says):
    body = damage(official.idx_bytes(np.zeros((2, 3, 4))))
    path = tmp_path / ("x.gz" if zipped else "x")
    path.write_bytes(gzip.compress(body) if zipped else body)
    with pytest.raises(CorruptData, match=says) as error:
        read_idx(path, 3)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("keep", [0, 5, 20, -1])
def test_truncated_gzip(tmp_path, official, keep):
    path = tmp_path / "x.gz"
    whole = gzip.compress(official.idx_bytes(np.arange(256).reshape(4, 8, 8)))
    path.write_bytes(whole[:keep])
    with pytest.raises(CorruptData, match=r"truncated|magic number"):
        read_idx(path, 3)


def test_unreadable_path(tmp_path):
    with pytest.raises(CorruptData, match="cannot be read"):
        read_idx(tmp_path, 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_any_flipped_byte_reads_or_is_named(tmp_path, official, position, value):
    body = bytearray(gzip.compress(official.idx_bytes(np.arange(600).reshape(6, 10, 10) % 7), mtime=0))
    body[position % len(body)] = value
    path = tmp_path / "x.gz"
    path.write_bytes(bytes(body))
    try:
        told = f"{path}: {read_idx(path, 3).shape}"
    except CorruptData as error:
        told = str(error)
    assert str(path) in told
