import hashlib

import numpy as np
import pytest

from recollect.datasets.checksums import RowsHash, content_sha256, file_digest, rows_sha256
from recollect.datasets.errors import CorruptData


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 1, 2, 2), dtype=np.uint8)
    return x, np.arange(6), x[:2], np.arange(2)


def test_content_hash_by_hand(arrays):
    sha = hashlib.sha256()
    names = ("train_x |u1 (6, 1, 2, 2)", "train_y <i8 (6,)", "test_x |u1 (2, 1, 2, 2)", "test_y <i8 (2,)")
    for name, array in zip(names, arrays, strict=True):
        sha.update(f"{name}\n".encode() + array.tobytes())
    assert content_sha256(*arrays) == sha.hexdigest()


def test_content_hash_sees_order_but_rows_hash_does_not(arrays):
    x, y, *test = arrays
    order = np.random.default_rng(1).permutation(6)
    assert content_sha256(x[order], y[order], *test) != content_sha256(*arrays)
    assert rows(x[order], y[order]) == rows(x, y)


def test_rows_hash_binds_label_to_image(arrays):
    x, y, *_ = arrays
    assert rows(x, y[::-1]) != rows(x, y)


def rows(x, y):
    half = RowsHash()
    half.update(x[:2], y[:2])
    half.update(x[2:], y[2:])
    return rows_sha256([half, half])


def test_file_digest(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f", "md5") == hashlib.md5(b"abc").hexdigest()
    with pytest.raises(CorruptData, match="cannot be read"):
        file_digest(tmp_path / "absent")
