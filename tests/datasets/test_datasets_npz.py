"""Arrays out of .npz files: what numpy reads, block by block, and nothing from files that are not plain."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recollect.datasets.errors import CorruptData
from recollect.datasets.npz import read_rows, shape_of


def npy(array, version=None, allow_pickle=True):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=allow_pickle)
    return stream.getvalue()


def write(path, compression=zipfile.ZIP_STORED, **bodies):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, body in bodies.items():
            archive.writestr(f"{name}.npy", body)
    return path


def everything(path):
    return np.concatenate(list(read_rows(path)))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "u1"])
@given(mask=st.lists(st.booleans(), min_size=1, max_size=20), rows=st.integers(1, 7))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chosen_rows_are_those_of_numpy(tmp_path, save, dtype, mask, rows):
    array = np.arange(len(mask) * 6).reshape(-1, 2, 3).astype(dtype)
    save(tmp_path / "x.npz", array)
    keep = np.array(mask)
    blocks = list(read_rows(tmp_path / "x.npz", keep, rows))
    assert shape_of(tmp_path / "x.npz") == array.shape
    assert all(0 < len(block) <= rows for block in blocks)
    assert np.concatenate([array[:0], *blocks]).tolist() == array[keep].tolist()


def test_one_array_may_have_any_name_and_arr_0_is_preferred(tmp_path):
    one, two = np.arange(3.0), np.arange(4.0)
    np.savez(tmp_path / "named.npz", responses=one)
    assert everything(tmp_path / "named.npz").tolist() == one.tolist()
    np.savez(tmp_path / "both.npz", two, responses=one)
    assert everything(tmp_path / "both.npz").tolist() == two.tolist()


def test_two_names_are_one_too_many(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.arange(3))
    with pytest.raises(CorruptData, match="holds 2 arrays, none called arr_0"):
        shape_of(tmp_path / "x.npz")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something was unpickled",))


def test_nothing_is_unpickled(tmp_path):
    array = np.empty(3, dtype=object)
    array[:] = [Bomb()] * 3
    path = write(tmp_path / "x.npz", arr_0=npy(array))
    for read in (shape_of, everything):
        with pytest.raises(
            CorruptData, match=r"holds Python objects: only unpickling .* may run any code.* refused"
        ):
            read(path)
    path.write_bytes(pickle.dumps(array))
    with pytest.raises(CorruptData, match=r"x.npz is truncated or damaged \(File is not a zip file\)"):
        shape_of(path)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (npy(np.array(["a", "b"])), "values of type <U1, not plain numbers"),
        (npy(np.array([1j])), "complex128"),
        (npy(np.zeros(2, dtype=[("a", "f8")])), "not plain numbers"),
        (npy(np.asfortranarray(np.zeros((3, 2)))), "column by column"),
        (npy(np.array(3.0)), r"no rows but an array of shape \(\)"),
        (npy(np.zeros(3), version=(3, 0)), "version"),
        (npy(np.zeros(3))[:-1], "ends before the last of its 3 rows"),
        (npy(np.zeros(3)) + b"1", "has values after its 3 rows"),
        (b"", "truncated or damaged"),
        (b"\x93NUMPY", "truncated or damaged"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9) + b"{'descr':", "garbled header"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 4) + b"(1, ", "garbled header"),
    ],
)
def test_other_content_is_named(tmp_path, body, says):
    path = write(tmp_path / "x.npz", arr_0=body)
    with pytest.raises(CorruptData, match=says) as error:
        everything(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_second_header_version_is_read(tmp_path):
    path = write(tmp_path / "x.npz", arr_0=npy(np.arange(5), version=(2, 0)))
    assert everything(path).tolist() == [0, 1, 2, 3, 4]


def test_checksum_of_the_archive_is_compared(tmp_path):
    path = write(tmp_path / "x.npz", arr_0=npy(np.arange(100.0)))
    body = bytearray(path.read_bytes())
    body[200] ^= 1  # a value, not the header
    path.write_bytes(bytes(body))
    with pytest.raises(CorruptData, match="Bad CRC-32"):
        everything(path)


@pytest.mark.parametrize("shape", [(1, 10**11, 44), (10**12, 9), (10**9, 10**9, 10**9)])
def test_claimed_size_costs_no_memory(tmp_path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16)
    path = write(tmp_path / "x.npz", zipfile.ZIP_DEFLATED, arr_0=body)
    assert shape_of(path) == shape
    with pytest.raises(CorruptData, match=f"ends before the last of its {shape[0]} rows"):
        everything(path)


def test_unreadable_and_missing_files_are_named(tmp_path):
    with pytest.raises(CorruptData, match=r"absent.npz cannot be read \(No such file"):
        shape_of(tmp_path / "absent.npz")
    with pytest.raises(CorruptData, match="cannot be read"):
        shape_of(tmp_path)


@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_byte_reads_or_is_named(tmp_path, position, value):
    path = write(tmp_path / "x.npz", arr_0=npy(np.arange(12.0).reshape(4, 3)))
    body = bytearray(path.read_bytes())
    body[position % len(body)] = value
    path.write_bytes(bytes(body))
    told = str(path)
    try:
        list(read_rows(path))
    except CorruptData as error:
        told = str(error)
    assert str(path) in told


@given(position=st.integers(0, 127), value=st.integers(0, 255))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_forged_header_reads_or_is_named(tmp_path, position, value):
    """As above with a valid checksum: an attacker would bring one."""
    body = bytearray(npy(np.arange(12.0).reshape(4, 3)))
    body[position] = value
    path = write(tmp_path / "x.npz", arr_0=bytes(body))
    told = str(path)
    try:
        list(read_rows(path))
    except CorruptData as error:
        told = str(error)
    assert str(path) in told
