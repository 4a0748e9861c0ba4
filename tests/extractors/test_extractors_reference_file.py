import numpy as np
import pytest

from recollect.extractors import ExtractorError
from recollect.extractors.reference_file import Reference, read_reference, write_reference


@pytest.fixture
def content():
    rng = np.random.default_rng(0)
    tasks = [rng.standard_normal((n, 4)).astype(np.float32) for n in (3, 5)]
    return Reference(tasks, "cnn_digits", "a" * 64, "b" * 64)


def test_round_trip(tmp_path, content):
    write_reference(tmp_path / "x.npz", content)
    write_reference(tmp_path / "y.npz", content)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    found = read_reference(tmp_path / "x.npz")
    assert (found.extractor, found.extractor_sha256, found.split_sha256) == ("cnn_digits", "a" * 64, "b" * 64)
    assert found.counts == [3, 5]
    assert all(
        np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(found.tasks, content.tasks, strict=True)
    )


def test_plain_arrays(tmp_path, content):
    write_reference(tmp_path / "x.npz", content)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["about", "task0", "task1"]
        assert arrays["about"].dtype.kind == "U"


def test_missing_and_damaged(tmp_path, content):
    path = tmp_path / "x.npz"
    with pytest.raises(ExtractorError, match=r"x.npz is missing: run the reference step again"):
        read_reference(path)
    write_reference(path, content)
    whole = path.read_bytes()
    for body in (whole[:200], b"", b"not a zip archive", whole[:-30]):
        path.write_bytes(body)
        with pytest.raises(ExtractorError, match=r"x.npz is damaged: delete it and run the reference step again"):
            read_reference(path)


@pytest.mark.parametrize("about", ["{}", "[]", "5", "{", '{"counts": [3], "what": 1}', '{"counts": 3}'])
def test_a_record_that_is_none(tmp_path, about):
    np.savez(tmp_path / "x.npz", about=np.array(about), task0=np.zeros((3, 2), np.float32))
    with pytest.raises(ExtractorError, match="is damaged"):
        read_reference(tmp_path / "x.npz")


def test_counts_that_do_not_fit(tmp_path, content):
    write_reference(tmp_path / "x.npz", content)
    with np.load(tmp_path / "x.npz") as arrays:
        np.savez(tmp_path / "y.npz", **{**arrays, "task1": arrays["task1"][:4]})
    with pytest.raises(ExtractorError, match=r"has \[3, 4\] features where it says \[3, 5\]: delete it"):
        read_reference(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ExtractorError, match="is damaged"):
        read_reference(tmp_path / "z.npz")
