"""Snapshots of generators on disk: whole, recognised by hash, gone when a run starts again."""

import re

import pytest
import torch

from recollect.engine.snapshots import (
    forget_snapshots,
    load_snapshot,
    save_snapshot,
    snapshot_hashes,
    snapshot_path,
    snapshot_tasks,
)
from recollect.errors import RecollectError
from recollect.files import sha256_file

TENSORS = {"world.w": torch.arange(6.0).view(2, 3).T, "ones": torch.tensor([0.5]), "n": torch.tensor(3)}


def test_what_is_saved_comes_back(tmp_path):
    save_snapshot(
        tmp_path, 2, {name: tensor.clone().requires_grad_(name != "n") for name, tensor in TENSORS.items()}
    )
    hashes = snapshot_hashes(tmp_path, 4)
    assert hashes == {"2": sha256_file(snapshot_path(tmp_path, 2))}
    assert snapshot_tasks(hashes) == {2}
    found = load_snapshot(tmp_path, 2, hashes, "redo")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)
    assert found["n"].dtype == torch.int64


def test_equal_tensors_give_equal_bytes(tmp_path):
    for folder in ("a", "b"):
        save_snapshot(tmp_path / folder, 0, TENSORS)
    assert snapshot_hashes(tmp_path / "a", 1) == snapshot_hashes(tmp_path / "b", 1)


def test_methods_without_tensors_leave_no_folder(tmp_path):
    save_snapshot(tmp_path, 0, {})
    assert list(tmp_path.iterdir()) == []
    assert snapshot_hashes(tmp_path, 3) == {}


@pytest.mark.parametrize("damage", ["gone", "other", "truncated"])
def test_another_file_is_refused(tmp_path, damage):
    save_snapshot(tmp_path, 0, TENSORS)
    hashes, path = snapshot_hashes(tmp_path, 1), snapshot_path(tmp_path, 0)
    if damage == "gone":
        path.unlink()
    elif damage == "other":
        save_snapshot(tmp_path, 0, {"ones": torch.zeros(1)})
    else:
        path.write_bytes(path.read_bytes()[:40])
    wanted = f"^{re.escape(str(path))} is missing or not the one of this run: do it again$"
    with pytest.raises(RecollectError, match=wanted):
        load_snapshot(tmp_path, 0, hashes, "do it again")


def test_a_killed_write_leaves_the_old_snapshot(tmp_path, monkeypatch):
    save_snapshot(tmp_path, 0, TENSORS)
    before = snapshot_hashes(tmp_path, 1)

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("recollect.files.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_snapshot(tmp_path, 0, {"ones": torch.zeros(1)})
    assert snapshot_hashes(tmp_path, 1) == before


def test_a_run_that_starts_again_forgets_them(tmp_path):
    save_snapshot(tmp_path, 1, TENSORS)
    (tmp_path / "run.json").touch()
    forget_snapshots(tmp_path)
    forget_snapshots(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_run_with_other_settings_has_its_own_snapshots(tiny, tmp_path):
    """Three tasks, then joint training with one snapshot in the same folder: nothing of the first run is left."""
    benchmark, hyper = tiny.benchmark(), {"latent": 2, "binary": 0, "gen_d": 2}
    records = [
        tiny.runner(tmp_path, "vae_replay", benchmark, hyper={**hyper, "data": data}, epochs=1).run()
        for data in ("replay", "joint")
    ]
    assert [set(record["snapshots"]) for record in records] == [{"0", "1", "2"}, {"2"}]
    assert records[1]["snapshots"] == snapshot_hashes(tmp_path, 3)
