"""Stored classifiers on corrupted images: archives whose scores are known from the run's own answers."""

import json
import shutil
from types import MappingProxyType

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recollect.datasets.store import write_info
from recollect.engine import answering
from recollect.errors import RecollectError
from recollect.files import read_json, sha256_file, write_json
from recollect.robustness import sets
from recollect.steps import corruptions as making
from recollect.steps.corruptions import make_corruptions
from recollect.steps.places import Places
from recollect.steps.robustness import robustness
from recollect.steps.split import split
from recollect.steps.train import train

SCENARIO = {
    "id": "toys", "datasets": ["toys"], "protocol": "class-incremental", "n_tasks": 2, "validation": 0.0,
    "class_order": [2, 0, 1, 3], "store_model": True,
}  # fmt: skip
N, CLASSES = 40, 5
REDO = "delete the folder of this run and run again"


def write_data(folder):
    """Five classes of noisy colour patches; class 4 is in no task."""
    rng = np.random.default_rng(0)
    centres = rng.integers(40, 216, (CLASSES, 3, 6, 6))
    folder.mkdir(parents=True)
    for half, n in (("train", 100), ("test", N)):
        y = rng.permutation(np.arange(n) % CLASSES)
        x = np.clip(centres[y] + rng.normal(0, 60, (n, 3, 6, 6)), 0, 255).astype(np.uint8)
        np.save(folder / f"{half}_x.npy", x)
        np.save(folder / f"{half}_y.npy", y)
    write_info(
        {
            "schema": 1, "dataset": "toys", "title": "", "n_classes": CLASSES, "input_shape": [3, 6, 6],
            "train": {"n": 100}, "test": {"n": N}, "content_sha256": "toys", "verified": "", "source": "",
            "files": [],
        },
        folder / "dataset.json",
    )  # fmt: skip


def run(places, method="naive", seeds=(0,), scenario=SCENARIO):
    from recollect.engine.settings import TrainSettings

    settings = {**vars(TrainSettings()), "epochs": 3, "batch_size": 8, "lr": 0.05, "width": 12}
    spec = {
        "scenario": scenario, "method": {"id": method, "file": method, "train": settings, "hyper": {}},
        "engine": {"device": "cpu", "threads": 1}, "code": "0",
    }  # fmt: skip
    split(scenario, seeds, places)
    return train(spec, seeds, places)


def write_archives(data_dir, x, y):
    """`clean`: the test images at every severity; `rolled`: at severity s everybody shows its s-th neighbour."""
    images = x.transpose(0, 2, 3, 1)
    folder = data_dir / "TOYS-C"
    folder.mkdir(parents=True)
    np.save(folder / "clean.npy", np.tile(images, (5, 1, 1, 1)))
    np.save(folder / "rolled.npy", np.concatenate([np.roll(images, s, axis=0) for s in range(1, 6)]))
    np.save(folder / "labels.npy", np.tile(y, 5))
    folder = data_dir / "TOYS-P"
    folder.mkdir()
    np.save(folder / "still.npy", np.repeat(images[:, None], 3, axis=1))
    moving = np.stack([np.roll(images, 1, axis=0), images, images, np.roll(images, 1, axis=0)], axis=1)
    np.save(folder / "moving.npy", moving)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("robust")
    places = Places(root / "results")
    write_data(places.data("toys"))
    data = [np.load(places.data("toys") / f"test_{axis}.npy") for axis in "xy"]
    write_archives(root / "data", *data)
    archives = {
        kind: sets.Archive(f"TOYS-{letter}", (f"TOYS-{letter}",), "draw them")
        for kind, letter in (("corruptions", "C"), ("perturbations", "P"))
    }
    toys = sets.RobustnessSet("toys", "toys", ("toys",), MappingProxyType(archives))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "SETS", {**sets.SETS, "toys": toys})
        run(places, seeds=(0, 1))
        for kind in sets.KINDS:
            make_corruptions("toys", kind, places, root / "data", progress=False)
        yield root


@pytest.fixture
def places(made, tmp_path):
    """A copy to be damaged."""
    shutil.copytree(made / "results", tmp_path / "results")
    return Places(tmp_path / "results")


def judged(places, made, seeds=(0,), method="naive"):
    robustness(SCENARIO, method, seeds, "toys", places, made / "data", progress=False)
    return json.loads(places.robustness("toys", method).read_text())


def own_answers(places, seed, method="naive"):
    """(answer of the run by test row, labels, rows of known classes)."""
    folder = places.run("toys", method, seed)
    manifest = json.loads(places.split("toys", seed).read_text())
    rows = np.concatenate([manifest["index_sets"][task["test"]] for task in manifest["tasks"]])
    answers = np.full(N, -9)
    answers[rows] = np.load(folder / "predictions.npz")["test"][-1]
    return answers, np.load(places.data("toys") / "test_y.npy"), np.sort(rows)


def test_scores_follow_from_the_answers_of_the_run(places, made):
    found = judged(places, made, seeds=(0, 1))
    assert found["sources"]["corruptions"]["remark"] == ""
    for run_found in found["runs"]:
        answers, y, rows = own_answers(places, run_found["seed"])
        clean = np.mean(answers[rows] != y[rows])
        assert 0 < clean < 1
        assert run_found["errors"]["clean"] == pytest.approx([clean] * 5)
        still = run_found["perturbations"]["still"]
        assert still == {"frame_acc": pytest.approx(1 - clean), "flip_rate": 0.0}
        metrics = run_found["metrics"]
        mean = np.mean([np.mean(values) for values in run_found["errors"].values()])
        assert metrics["mce@toys"] == pytest.approx(mean)
        assert metrics["corruption_acc@toys"] == pytest.approx(1 - mean)
        both = (metrics["corruption_acc@toys"] + metrics["perturbation_acc@toys"]) / 2
        assert metrics["overall_robustness@toys"] == pytest.approx(both)


def test_severities_frames_and_labels_are_not_mixed_up(places, made):
    """A row that shows its neighbour gets the neighbour's answer, where the run ever answered the neighbour."""
    (found,) = judged(places, made)["runs"]
    answers, y, rows = own_answers(places, 0)
    known = answers != -9
    for severity in range(1, 6):
        shown = np.roll(answers, severity)
        both = [i for i in rows if np.roll(known, severity)[i]]
        wrong = sum(shown[i] != y[i] for i in both)
        unknown = len(rows) - len(both)
        error = found["errors"]["rolled"][severity - 1] * len(rows)
        assert wrong <= round(error) <= wrong + unknown
    moving = found["perturbations"]["moving"]
    both = [i for i in rows if np.roll(known, 1)[i]]
    flips = sum(2 * (np.roll(answers, 1)[i] != answers[i]) for i in both)
    assert flips <= round(moving["flip_rate"] * 3 * len(rows)) <= flips + 2 * (len(rows) - len(both))


def test_the_archive_is_read_where_it_lies(made):
    places = Places(made / "results")
    record = json.loads(places.corruptions("toys", "corruptions").read_text())
    assert (record["in"], record["data_sha256"]) == ("data_dir", "toys")
    assert [file["path"] for file in record["files"]] == [
        "TOYS-C/labels.npy", "TOYS-C/clean.npy", "TOYS-C/rolled.npy",
    ]  # fmt: skip
    assert not (made / "results/corruptions/toys/corruptions").exists()


def test_where_there_is_no_archive_images_are_made_and_say_so(places, made, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(making, "CORRUPTION_NAMES", ("brightness", "contrast"))
    monkeypatch.setattr(making, "PERTURBATIONS", {"rotate": None})
    for kind in sets.KINDS:
        record = make_corruptions("toys", kind, places, tmp_path, progress=False)
        assert (record["in"], record["remark"][-12:]) == ("results", f", not TOYS-{'CP'[sets.KINDS.index(kind)]}")
    assert "TOYS-C is not in" in caplog.text
    assert "draw them" in caplog.text
    found = judged(places, made)
    assert list(found["runs"][0]["errors"]) == ["brightness", "contrast"]
    assert "imagecorruptions-imaug" in found["sources"]["corruptions"]["remark"]
    folder = places.results / "corruptions/toys/corruptions"
    assert np.load(folder / "contrast.npy").shape == (5 * N, 6, 6, 3)
    assert np.load(places.results / "corruptions/toys/perturbations/rotate.npy").shape == (N, 31, 6, 6, 3)
    kept = (folder / "contrast.npy").stat().st_mtime_ns
    (folder / "brightness.npy").unlink()
    make_corruptions("toys", "corruptions", places, tmp_path, progress=False)
    assert (folder / "contrast.npy").stat().st_mtime_ns == kept  # what was made before a kill is kept
    stamp = folder / "made_from.json"
    rewrite(stamp, "toys", "others")
    make_corruptions("toys", "corruptions", places, tmp_path, progress=False)
    assert (folder / "contrast.npy").stat().st_mtime_ns != kept


def test_a_set_of_some_images_per_class_judges_just_these(places, made, tmp_path, monkeypatch):
    run(places, method="joint")  # naive gives all images one answer
    few = sets.RobustnessSet("few", "toys", ("toys",), MappingProxyType({}), per_class=3)
    monkeypatch.setattr(sets, "SETS", {"few": few})
    monkeypatch.setattr(making, "CORRUPTION_NAMES", ("brightness",))
    monkeypatch.setattr(making, "corrupted", lambda images, name, severity: images)
    monkeypatch.setattr(making, "PERTURBATIONS", {"still": None})
    monkeypatch.setattr(making, "perturbed", lambda x, name: np.repeat(x[:, None], making.FRAMES, axis=1))
    for kind in sets.KINDS:
        assert make_corruptions("few", kind, places, tmp_path, progress=False)["remark"].endswith(
            ", 3 test images per class"
        )
    answers, y, known = own_answers(places, 0, "joint")
    rows = np.array([row for row in range(N) if np.sum(y[:row] == y[row]) < 3])
    assert np.array_equal(few.rows(y), rows)
    assert np.load(places.results / "corruptions/few/perturbations/still.npy").shape[0] == 3 * CLASSES
    robustness(SCENARIO, "joint", (0,), "few", places, tmp_path, progress=False)
    (run_found,) = json.loads(places.robustness("toys", "joint").read_text())["runs"]
    mine = np.intersect1d(rows, known)
    error = np.mean(answers[mine] != y[mine])
    assert error != np.mean(answers[known] != y[known]), "all images would give another number"
    assert run_found["errors"]["brightness"] == pytest.approx([error] * 5)
    assert run_found["perturbations"]["still"] == {"frame_acc": pytest.approx(1 - error), "flip_rate": 0.0}


def tampered(places):
    """Another network than the run's: its file is what the record says, its answers are not."""
    folder = places.run("toys", "naive", 0)
    path = folder / "model.safetensors"
    save_file({name: -tensor for name, tensor in load_file(path).items()}, path)
    record = read_json(folder / "run.json", "")
    write_json(folder / "run.json", {**record, "model_sha256": sha256_file(path)})


def foreign(places):
    folder = places.run("toys", "naive", 0)
    path = folder / "model.safetensors"
    save_file({"other": np.zeros(3, np.float32)}, path)
    record = read_json(folder / "run.json", "")
    write_json(folder / "run.json", {**record, "model_sha256": sha256_file(path)})


def without_model(places):
    path = places.run("toys", "naive", 0) / "run.json"
    record = read_json(path, "")
    del record["model_sha256"]
    write_json(path, record)


def other_data(places):
    rewrite(places.corruptions("toys", "perturbations"), '"data_sha256": "toys"', '"data_sha256": "x"')


def rewrite(path, before, after):
    """Another content, as if the step had written it."""
    write_json(path, json.loads(json.dumps(read_json(path, "")).replace(before, after)))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_model, "stored no model: add store_model: true"),
        (lambda p: (p.run("toys", "naive", 0) / "model.safetensors").unlink(), f"is missing or not .*: {REDO}"),
        (lambda p: (p.run("toys", "naive", 0) / "model.safetensors").write_bytes(b"x"), "not the one of this run"),
        (foreign, r"does not fit its method \(.*Missing key"),
        (tampered, r"repeats only .* of the answers of its run"),
        (lambda p: (p.run("toys", "naive", 0) / "predictions.npz").unlink(), "predictions.npz is missing"),
        (lambda p: p.corruptions("toys", "corruptions").unlink(), "recollect corruptions toys --kind corruptions"),
        (other_data, "belongs to other test images"),
        (
            lambda p: rewrite(p.corruptions("toys", "corruptions"), "rolled.npy", "gone.npy"),
            "gone.npy is no longer what",
        ),
    ],
)
def test_what_is_missing_or_foreign_is_one_sentence(places, made, damage, says):
    damage(places)
    with pytest.raises(RecollectError, match=says):
        judged(places, made)


def test_a_run_that_diverged_is_passed_on(places, made):
    path = places.run("toys", "naive", 0) / "run.json"
    write_json(path, {**read_json(path, ""), "status": "diverged", "reason": "at task 1"})
    assert judged(places, made)["runs"] == [{"seed": 0, "status": "diverged", "reason": "at task 1"}]


def test_only_scenarios_that_ask_for_it_keep_models(places):
    plain = {**SCENARIO, "id": "plain", "store_model": False}
    (record,) = run(places, scenario=plain)
    assert "model_sha256" not in record
    assert not (places.run("plain", "naive", 0) / answering.FILE).exists()


def test_a_method_that_answers_from_more_than_its_network_is_refused_before_training(places):
    with pytest.raises(RecollectError, match=r"baselines.cope: .* answers from more than its network"):
        run(places, method="cope", scenario={**SCENARIO, "id": "again"})
    assert not (places.run("again", "cope", 0) / "run.json").exists()


def test_a_method_stores_and_restores_what_it_says(places, made, monkeypatch):
    """The contract for methods with more than a network: two overrides, and the check on answers passes."""
    from recollect.engine.strategy import Strategy

    asked = []

    def stored_model(self):
        asked.append("stored")
        return {f"mine.{name}": tensor for name, tensor in self.model.state_dict().items()}

    def load_stored_model(self, tensors):
        asked.append("loaded")
        self.model.load_state_dict({name.removeprefix("mine."): t for name, t in tensors.items()})

    monkeypatch.setattr(Strategy, "stored_model", stored_model)
    monkeypatch.setattr(Strategy, "load_stored_model", load_stored_model)
    shutil.rmtree(places.run("toys", "naive", 0))
    run(places)
    assert all(name.startswith("mine.") for name in load_file(places.run("toys", "naive", 0) / answering.FILE))
    judged(places, made)
    assert asked == ["stored", "loaded"]
