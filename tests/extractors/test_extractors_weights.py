import hashlib
import os
import struct

import numpy as np
import pytest
import torch

from recollect.errors import RecollectError
from recollect.extractors import ExtractorError
from recollect.extractors.weights import read_weights, weights_sha256, write_weights


@pytest.fixture
def weights(made):
    return made.weights("resnet20_cifar10")


def same(a, b):
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_hash_is_of_the_tensors_and_not_of_their_order():
    weights = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor([0.5])}
    found = weights_sha256(weights)
    by_hand = b"a <f4 (1,)\n" + struct.pack("<f", 0.5) + b"b <f4 (1, 2)\n" + struct.pack("<ff", 1.0, 2.0)
    assert found == hashlib.sha256(by_hand).hexdigest()
    assert weights_sha256({"a": weights["a"], "b": weights["b"]}) == found
    changed = [
        {**weights, "a": torch.tensor([0.25])},
        {**weights, "b": torch.tensor([[1.0], [2.0]])},
        {"b": weights["b"], "c": weights["a"]},
        {"b": weights["b"]},
    ]
    assert len({found, *map(weights_sha256, changed)}) == 5


def test_one_content_in_every_format(tmp_path, weights):
    write_weights(tmp_path / "a.safetensors", weights)
    np.savez(tmp_path / "a.npz", **{name: value.numpy() for name, value in weights.items()})
    torch.save(weights, tmp_path / "plain")
    torch.save(weights, tmp_path / "legacy", _use_new_zipfile_serialization=False)
    counters = {name.replace("running_mean", "num_batches_tracked"): torch.tensor(7) for name in weights}
    state = {f"module.{name}": value for name, value in {**counters, **weights}.items()}
    torch.save({"state_dict": state, "best_prec1": 91.73}, tmp_path / "checkpoint.th")
    for name in ("a.safetensors", "a.npz", "plain", "legacy", "checkpoint.th"):
        read = read_weights(tmp_path / name)
        assert same(read, dict(sorted(weights.items())))
        assert weights_sha256(read) == weights_sha256(weights)


def test_equal_weights_give_equal_bytes(tmp_path, weights):
    write_weights(tmp_path / "a", weights)
    write_weights(tmp_path / "b", dict(reversed(weights.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class Hostile:
    """Unpickling this would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_is_not_tensors_is_refused_and_not_run(tmp_path):
    torch.save({"conv1.weight": Hostile(tmp_path / "run")}, tmp_path / "hostile.pth")
    torch.save(
        {"conv1.weight": Hostile(tmp_path / "run")}, tmp_path / "legacy", _use_new_zipfile_serialization=False
    )
    np.savez(tmp_path / "hostile.npz", a=np.array([Hostile(tmp_path / "run")], dtype=object))
    for name in ("hostile.pth", "legacy", "hostile.npz"):
        with pytest.raises(ExtractorError, match=f"{name} is damaged or holds something else than named float32"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content",
    [
        {},
        [torch.zeros(2)],
        torch.zeros(2),
        {"a": 1.0},
        {"a": torch.zeros(2, dtype=torch.float64)},
        {1: torch.ones(1)},
    ],
    ids=str,
)
def test_what_is_no_set_of_weights(tmp_path, content):
    torch.save(content, tmp_path / "file")
    with pytest.raises(ExtractorError, match="is damaged or holds something else"):
        read_weights(tmp_path / "file")


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pth"])
@pytest.mark.parametrize("part", ["half", "nothing", "noise"])
def test_damaged_files(tmp_path, weights, name, part):
    path = tmp_path / name
    if name.endswith("npz"):
        np.savez(path, **{key: value.numpy() for key, value in weights.items()})
    elif name.endswith("pth"):
        torch.save(weights, path)
    else:
        write_weights(path, weights)
    body = path.read_bytes()
    path.write_bytes({"half": body[: len(body) // 2], "nothing": b"", "noise": os.urandom(3000)}[part])
    with pytest.raises(ExtractorError, match="is damaged or holds something else"):
        read_weights(path)


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a"])
def test_files_that_cannot_be_read(tmp_path, name):
    with pytest.raises(ExtractorError, match=r"cannot be read .No such file"):
        read_weights(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(ExtractorError, match=r"cannot be read .Is a directory"):
        read_weights(tmp_path / name)


def test_a_place_that_cannot_be_written(tmp_path, weights):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecollectError, match="cannot write"):
        write_weights(tmp_path / "file" / "a", weights)
