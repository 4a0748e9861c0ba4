import io
import tarfile

import numpy as np
import pytest

from recollect.datasets.cifar import load_cifar10, load_cifar100, parse_records
from recollect.datasets.errors import CorruptData, MissingData


def bins10(official):
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    return {name: official.cifar_records(10, 1, 10, seed) for seed, name in enumerate(names)}


def bins100(official):
    return {name: official.cifar_records(100, 2, 100, seed) for seed, name in enumerate(("train.bin", "test.bin"))}


def write_folder(folder, bins):
    folder.mkdir(parents=True)
    for name, records in bins.items():
        (folder / name).write_bytes(records.tobytes())


def write_tar(path, folder, bins, extra=()):
    with tarfile.open(path, "w:gz") as archive:
        for info, body in extra:
            archive.addfile(info, io.BytesIO(body))
        for name, records in bins.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = records.nbytes
            archive.addfile(info, io.BytesIO(records.tobytes()))


def pixels(part):
    return np.concatenate(list(part.images))


@pytest.mark.parametrize("place", ["cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_cifar10_folder(tmp_path, official, place):
    bins = bins10(official)
    write_folder(tmp_path / place, bins)
    read = load_cifar10(tmp_path)
    train = np.concatenate([bins[f"data_batch_{i}.bin"] for i in range(1, 6)])
    assert np.array_equal(read.train.y, train[:, 0])
    assert np.array_equal(pixels(read.train), train[:, 1:].reshape(-1, 3, 32, 32))
    assert np.array_equal(read.test.y, np.arange(10))
    assert len(read.files) == 6


def test_channels_then_rows_then_columns(tmp_path, official):
    bins = bins10(official)
    bins["test_batch.bin"][3, 1 + 1024 + 32 * 5 + 7] = 99
    write_folder(tmp_path / "cifar-10-batches-bin", bins)
    assert pixels(load_cifar10(tmp_path).test)[3, 1, 5, 7] == 99


def test_cifar100_takes_the_fine_label(tmp_path, official):
    bins = bins100(official)
    write_folder(tmp_path / "cifar-100-binary", bins)
    read = load_cifar100(tmp_path)
    assert np.array_equal(read.train.y, np.arange(100))
    assert np.array_equal(pixels(read.test), bins["test.bin"][:, 2:].reshape(-1, 3, 32, 32))


@pytest.mark.parametrize("place", ["", "cifar10/"])
def test_archive_is_read_without_extraction(tmp_path, official, place):
    bins = bins10(official)
    path = tmp_path / f"{place}cifar-10-binary.tar.gz"
    path.parent.mkdir(exist_ok=True)
    write_tar(path, "cifar-10-batches-bin", bins)
    read = load_cifar10(tmp_path)
    assert np.array_equal(pixels(read.test), bins["test_batch.bin"][:, 1:].reshape(-1, 3, 32, 32))
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_missing(tmp_path):
    with pytest.raises(MissingData, match=r"cifar-10-binary.tar.gz not found .*cifar10/cifar-10-batches-bin"):
        load_cifar10(tmp_path)


def test_incomplete_folder(tmp_path, official):
    bins = bins10(official)
    del bins["data_batch_3.bin"]
    write_folder(tmp_path / "cifar-10-batches-bin", bins)
    with pytest.raises(CorruptData, match=r"incomplete, data_batch_3.bin"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 1, 3072, 3073 * 2 - 1])
def test_partial_records(n_bytes):
    with pytest.raises(CorruptData, match="not a multiple of the 3073 bytes"):
        parse_records(bytes(n_bytes), 1, "x.bin")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_truncated_archive(tmp_path, official, keep):
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(path, "cifar-10-batches-bin", bins10(official))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(CorruptData, match="truncated or damaged"):
        load_cifar10(tmp_path)


def test_archive_without_the_files(tmp_path):
    write_tar(tmp_path / "cifar-10-binary.tar.gz", "other", {"readme": np.zeros(1, np.uint8)})
    with pytest.raises(CorruptData, match="not the official archive"):
        load_cifar10(tmp_path)


def hostile(name, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    info.size = size
    return info, bytes(size)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (hostile("../up"), "points outside"),
        (hostile("/etc/cron"), "points outside"),
        (hostile("cifar-10-batches-bin/test_batch.bin", tarfile.SYMTYPE), "is a link"),
        (hostile("cifar-10-batches-bin/test_batch.bin", tarfile.LNKTYPE), "is a link"),
        (hostile("big", size=2000), "claims to unpack"),
    ],
)
def test_hostile_archives_are_refused(tmp_path, official, monkeypatch, entry, says):
    if entry[0].size:
        monkeypatch.setattr("recollect.datasets.cifar.MAX_MEMBER_BYTES", 1000)
    write_tar(tmp_path / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", bins10(official), extra=[entry])
    with pytest.raises(CorruptData, match=says):
        load_cifar10(tmp_path)
