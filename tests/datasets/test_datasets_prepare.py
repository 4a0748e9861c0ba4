import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from recollect.datasets import content_sha256, open_prepared, prepare, prepare_spec
from recollect.datasets.errors import CannotWrite, CorruptData, DownloadFailed, MissingData
from recollect.datasets.spec import RemoteFile

KEYS = {
    *("schema", "dataset", "title", "n_classes", "input_shape", "train", "test"),
    *("content_sha256", "verified", "source", "files"),
}


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def run_python(code):
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


def test_mnist_end_to_end(tmp_path, official):
    made = official.mnist(tmp_path / "data")
    info = prepare_spec(official.spec("mnist"), tmp_path / "data", tmp_path / "out", progress=False)
    opened = open_prepared(tmp_path / "out")
    assert np.array_equal(opened.train_x[:, 0], made.train_x)
    assert np.array_equal(opened.train_y, made.train_y)
    assert np.array_equal(opened.test_x[:, 0], made.test_x)
    assert np.array_equal(opened.test_y, made.test_y)
    assert opened.info == info
    assert set(info) == KEYS
    assert info["train"] == {"n": 20, "class_counts": [2] * 10}
    assert info["content_sha256"] == content_sha256(opened.train_x, opened.train_y, opened.test_x, opened.test_y)
    assert (info["verified"], info["source"]) == ("shapes and counts", "data_dir")
    assert info["files"][0]["path"] == "mnist/train-images-idx3-ubyte.gz"
    assert files_in(tmp_path / "out") == [
        "dataset.json",
        "test_x.npy",
        "test_y.npy",
        "train_x.npy",
        "train_y.npy",
    ]


@pytest.mark.parametrize("name", ["celeba", "celeba_raw_attributes"])
def test_celeba_end_to_end(tmp_path, official, name):
    official.celeba(tmp_path / "data")
    info = prepare_spec(official.spec(name), tmp_path / "data", tmp_path / "out", progress=False)
    assert open_prepared(tmp_path / "out").train_x.shape[1:] == (3, 64, 64)
    assert info["files"][0]["path"] == "celeba/img_align_celeba/"
    assert info["files"][0]["sha256"] is None


def test_same_inputs_same_bytes_and_no_absolute_paths(tmp_path, official):
    texts = []
    for place in ("a", "b"):
        official.mnist(tmp_path / place)
        prepare_spec(official.spec("mnist"), tmp_path / place, tmp_path / f"{place}-out", progress=False)
        texts.append((tmp_path / f"{place}-out/dataset.json").read_bytes())
    assert texts[0] == texts[1]
    assert str(tmp_path).encode() not in texts[0]


def test_digits_need_no_data_dir(tmp_path):
    info = prepare("digits", None, tmp_path / "out", offline=True, progress=False)
    assert (info["verified"], info["source"], info["files"]) == ("known content", "embedded", [])


def test_intact_output_is_left_alone(tmp_path, official):
    official.mnist(tmp_path / "data")
    spec = official.spec("mnist")
    first = prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert prepare_spec(spec, tmp_path / "nowhere", tmp_path / "out", progress=False) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("name", ["train_x.npy", "test_y.npy", "dataset.json"])
def test_damaged_output_is_made_again(tmp_path, official, name):
    official.mnist(tmp_path / "data")
    first = prepare_spec(official.spec("mnist"), tmp_path / "data", tmp_path / "out", progress=False)
    (tmp_path / "out" / name).write_bytes(b"half")
    assert prepare_spec(official.spec("mnist"), tmp_path / "data", tmp_path / "out", progress=False) == first
    open_prepared(tmp_path / "out")


def test_what_a_killed_run_left_is_cleared(tmp_path, official):
    official.mnist(tmp_path / "data")
    (tmp_path / "out/.partial").mkdir(parents=True)
    (tmp_path / "out/.partial/train_x.npy").write_bytes(b"half")
    prepare_spec(official.spec("mnist"), tmp_path / "data", tmp_path / "out", progress=False)
    assert not (tmp_path / "out/.partial").exists()


def corrupt(official, out, data, **changes):
    with pytest.raises(CorruptData) as error:
        prepare_spec(official.spec("mnist", **changes), data, out, progress=False)
    assert not out.exists()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_wrong_counts(tmp_path, official):
    official.mnist(tmp_path / "data")
    text = corrupt(official, tmp_path / "out", tmp_path / "data", train_counts=(3,) + (2,) * 9)
    assert "has 20 images where 21 are expected" in text
    text = corrupt(official, tmp_path / "out", tmp_path / "data", train_counts=(3, 1) + (2,) * 8)
    assert "has 2 images of class 0 where 3 are expected" in text


def test_labels_out_of_range(tmp_path, official):
    official.mnist(tmp_path / "data", zipped=False)
    labels = np.arange(20) % 10
    labels[7] = 12
    (tmp_path / "data/mnist/train-labels-idx1-ubyte").write_bytes(official.idx_bytes(labels))
    assert "label 12 at row 7, out of range 0..9" in corrupt(official, tmp_path / "out", tmp_path / "data")


def test_no_images(tmp_path, official):
    official.mnist(tmp_path / "data", zipped=False)
    (tmp_path / "data/mnist/t10k-labels-idx1-ubyte").write_bytes(official.idx_bytes(np.zeros(0)))
    (tmp_path / "data/mnist/t10k-images-idx3-ubyte").write_bytes(official.idx_bytes(np.zeros((0, 28, 28))))
    assert "has no images" in corrupt(official, tmp_path / "out", tmp_path / "data")


def test_images_of_another_shape(tmp_path, official):
    official.mnist(tmp_path / "data", zipped=False)
    (tmp_path / "data/mnist/t10k-images-idx3-ubyte").write_bytes(official.idx_bytes(np.zeros((10, 14, 56))))
    assert "another shape" in corrupt(official, tmp_path / "out", tmp_path / "data")


def test_other_content(tmp_path, official):
    official.mnist(tmp_path / "data")
    for changes in ({"content_sha256": "0" * 64}, {"rows_sha256": "0" * 64}):
        assert "other content" in corrupt(official, tmp_path / "out", tmp_path / "data", **changes)


def test_failure_keeps_what_was_there(tmp_path, official):
    official.mnist(tmp_path / "data")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(CorruptData):
        prepare_spec(
            official.spec("mnist", content_sha256="0"), tmp_path / "data", tmp_path / "out", progress=False
        )
    assert files_in(tmp_path / "out") == ["notes.txt"]


def test_data_dir_that_does_not_exist(tmp_path, official):
    with pytest.raises(MissingData, match=r"absent is not an existing folder.*RECOLLECT_DATA"):
        prepare_spec(official.spec("mnist"), tmp_path / "absent", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_out_dir_below_a_file(tmp_path, official):
    official.mnist(tmp_path / "data")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotWrite, match="Cannot write to"):
        prepare_spec(official.spec("mnist"), tmp_path / "data", tmp_path / "file/out", progress=False)


@pytest.fixture
def ordinary_user():
    """Act as a user whom permissions stop, and give a folder that this user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_read_only_out_dir(official, ordinary_user):
    data, out = ordinary_user / "data", ordinary_user / "out"
    with as_owner():
        official.mnist(data)
        out.mkdir()
        out.chmod(0o555)
    with pytest.raises(CannotWrite, match="Permission denied"):
        prepare_spec(official.spec("mnist"), data, out, progress=False)


def test_unreadable_data(official, ordinary_user):
    data = ordinary_user / "data"
    with as_owner():
        official.mnist(data)
        (data / "mnist/train-images-idx3-ubyte.gz").chmod(0)
    with pytest.raises(CorruptData, match=r"train-images.* cannot be read \(Permission denied\)"):
        prepare_spec(official.spec("mnist"), data, ordinary_user / "out", progress=False)


@contextmanager
def as_owner():
    """Become the real user for a moment."""
    user = os.geteuid()
    os.seteuid(os.getuid())
    yield
    os.seteuid(user)


def test_file_size_limit_leaves_nothing_behind(tmp_path, official):
    """A real write failure midway: the process may not write files above 4 kB."""
    official.mnist(tmp_path / "data")
    code = (
        "import resource, signal, sys; from pathlib import Path; from dataclasses import replace\n"
        "from recollect.datasets import DATASETS, CannotWrite, prepare_spec\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "spec = replace(DATASETS['mnist'], train_counts=None, test_counts=None, content_sha256=None)\n"
        f"data, out = Path({str(tmp_path / 'data')!r}), Path({str(tmp_path / 'out')!r})\n"
        "try: prepare_spec(spec, data, out, progress=False)\n"
        "except CannotWrite as error: sys.exit(str(error))\n"
    )
    done = run_python(code)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def served(official, server, tmp_path):
    """Make the tiny MNIST downloadable; returns its spec."""
    official.mnist(tmp_path / "origin")
    remotes = []
    for path in sorted((tmp_path / "origin/mnist").iterdir()):
        body = path.read_bytes()
        url = server.plan(f"/{path.name}", (200, body))
        remotes.append(RemoteFile(f"mnist/{path.name}", (url,), hashlib.sha256(body).hexdigest(), None, len(body)))
    return official.spec("mnist", files=tuple(remotes))


def test_download_into_data_dir(tmp_path, official, server, patience):
    spec = served(official, server, tmp_path)
    (tmp_path / "data").mkdir()
    info = prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False, patience=patience)
    assert (info["source"], info["verified"]) == ("download", "official files")
    assert len(files_in(tmp_path / "data")) == 4
    again = prepare_spec(spec, tmp_path / "data", tmp_path / "out2", progress=False, offline=True)
    assert again["source"] == "data_dir"


def test_only_what_is_missing_is_downloaded(tmp_path, official, server, patience):
    spec = served(official, server, tmp_path)
    official.mnist(tmp_path / "data", zipped=False)
    (tmp_path / "data/mnist/train-labels-idx1-ubyte").unlink()
    prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False, patience=patience)
    assert server.requests == ["/train-labels-idx1-ubyte.gz"]


def test_download_without_data_dir_goes_below_out_dir(tmp_path, official, server, patience):
    spec = served(official, server, tmp_path)
    info = prepare_spec(spec, None, tmp_path / "out", progress=False, patience=patience)
    assert len(files_in(tmp_path / "out/download")) == 4
    assert info["files"][0]["path"].startswith("mnist/")


def test_failed_download_says_all_a_user_needs(tmp_path, official, patience):
    refused = "http://127.0.0.1:9/train-labels-idx1-ubyte.gz"
    official.mnist(tmp_path / "data")
    (tmp_path / "data/mnist/train-labels-idx1-ubyte.gz").unlink()
    spec = official.spec("mnist", files=(RemoteFile("mnist/train-labels-idx1-ubyte.gz", (refused,)),))
    with pytest.raises(DownloadFailed) as error:
        prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False, patience=patience)
    text = str(error.value)
    for needed in (
        refused,
        "Connection refused",
        str(tmp_path / "data"),
        "RECOLLECT_DATA",
        "--config data_dir=",
    ):
        assert needed in text
    assert not (tmp_path / "out").exists()


def test_offline_tries_nothing(tmp_path, official, server):
    spec = served(official, server, tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(MissingData) as error:
        prepare_spec(spec, tmp_path / "data", tmp_path / "out", offline=True)
    text = str(error.value)
    for needed in (
        "offline, so not tried",
        server.url,
        str(tmp_path / "data"),
        "RECOLLECT_DATA",
        "data_dir=",
    ):
        assert needed in text
    assert server.requests == []


def test_celeba_says_where_to_get_it(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(MissingData, match=r"no address to download.*mmlab.ie.cuhk.edu.hk.*celeba"):
        prepare("celeba", tmp_path / "data", tmp_path / "out")


def test_truncated_file_in_data_dir(tmp_path, official):
    official.mnist(tmp_path / "data")
    path = tmp_path / "data/mnist/train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated or damaged" in corrupt(official, tmp_path / "out", tmp_path / "data")


def test_importing_the_package_is_light():
    done = run_python("import sys, recollect.datasets; print({'torch', 'sklearn'} & set(sys.modules))")
    assert done.stdout == "set()\n"


def test_gz_bytes_may_differ_from_the_official_ones(tmp_path, official):
    """Found files are judged by content: recompressing them changes nothing but the file entry."""
    official.mnist(tmp_path / "data")
    spec = official.spec("mnist")
    first = prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False)
    path = tmp_path / "data/mnist/train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1))
    second = prepare_spec(spec, tmp_path / "data", tmp_path / "out2", progress=False)
    assert first["content_sha256"] == second["content_sha256"]
