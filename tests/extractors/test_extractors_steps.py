"""The steps that make an extractor and reference features, as functions and from the command line."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from recollect.__main__ import main
from recollect.datasets import prepare
from recollect.datasets.store import write_info
from recollect.errors import RecollectError
from recollect.extractors import EXTRACTORS, ExtractorError
from recollect.extractors.features import features, load_extractor
from recollect.extractors.reference_file import read_reference
from recollect.extractors.weights import write_weights
from recollect.files import read_json, sha256_file
from recollect.scenarios.manifest import read_manifest, rows
from recollect.steps.extractor import make_extractor
from recollect.steps.places import Places
from recollect.steps.reference import evaluation_images, reference
from recollect.steps.split import split

SCENARIO = {"id": "s", "datasets": ["digits"], "protocol": "class-incremental", "n_tasks": 5}


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "results")


@pytest.fixture(scope="module")
def digits_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    prepare("digits", None, folder, progress=False)
    return folder


@pytest.fixture
def digits(places, digits_folder):
    places.data("digits").parent.mkdir(parents=True)
    places.data("digits").symlink_to(digits_folder)
    return places


@pytest.fixture
def short(monkeypatch):
    """One epoch in place of fifty."""
    spec = EXTRACTORS["cnn_digits"]
    brief = dataclasses.replace(spec, training=dataclasses.replace(spec.training, epochs=1))
    monkeypatch.setitem(EXTRACTORS, "cnn_digits", brief)


@pytest.fixture
def ready(made, digits):
    """Prepared digits and an extractor of random weights in its place."""
    folder = digits.extractor("cnn_digits")
    write_weights(folder / "weights.safetensors", made.weights("cnn_digits"))
    record = {"id": "cnn_digits", "sha256": made.extractor("cnn_digits").sha256}
    (folder / "extractor.json").write_text(json.dumps(record))
    return digits


def test_published(made, places, tmp_path, monkeypatch):
    source = tmp_path / "data" / "weights" / "lenet_MNIST"
    monkeypatch.setitem(EXTRACTORS, "lenet_mnist", made.published(source))
    record = make_extractor("lenet_mnist", places, tmp_path / "data", offline=True)
    folder = places.extractor("lenet_mnist")
    assert sorted(path.name for path in folder.iterdir()) == ["extractor.json", "weights.safetensors"]
    assert read_json(folder / "extractor.json", "") == record
    assert record == {
        "schema": 1, "id": "lenet_mnist", "title": EXTRACTORS["lenet_mnist"].title,
        "sha256": made.extractor("lenet_mnist").sha256, "feature_dim": 84, "input_shape": [1, 28, 28],
        "value_range": [0.0, 1.0], "licence": "MIT", "citation": EXTRACTORS["lenet_mnist"].citation,
        "how": "data_dir", "file": "weights/lenet_MNIST", "file_sha256": sha256_file(source),
    }  # fmt: skip
    images = made.images("lenet_mnist", 4)
    assert np.array_equal(
        features(load_extractor(folder), images), features(made.extractor("lenet_mnist"), images)
    )


def test_downloaded_from_the_command_line(made, places, tmp_path, server, monkeypatch):
    spec = made.published(tmp_path / "lenet_MNIST")
    url = server.page("/w", (tmp_path / "lenet_MNIST").read_bytes())
    moved = dataclasses.replace(spec.files[0], urls=(url,))
    monkeypatch.setitem(EXTRACTORS, "lenet_mnist", dataclasses.replace(spec, files=(moved,)))
    (tmp_path / "data").mkdir()
    where = ["--data-dir", str(tmp_path / "data"), "--results", str(places.results)]
    assert main(["extractor", "lenet_mnist", "--offline", *where]) == 1
    assert not places.results.exists()
    assert main(["extractor", "lenet_mnist", *where]) == 0
    record = json.loads((places.extractor("lenet_mnist") / "extractor.json").read_text())
    assert record["how"] == "download"
    assert (tmp_path / "data" / "weights" / "lenet_MNIST").exists()


def test_trained_twice_the_same_bytes(digits, short, tmp_path):
    record = make_extractor("cnn_digits", digits, tmp_path)
    folder = digits.extractor("cnn_digits")
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    torch.manual_seed(99)
    make_extractor("cnn_digits", digits, tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert record["how"] == "trained"
    assert record["training"]["dataset"] == "digits"
    assert (
        record["data_sha256"] == json.loads((digits.data("digits") / "dataset.json").read_text())["content_sha256"]
    )
    assert 0 < record["test_accuracy"] < 1
    assert load_extractor(folder).sha256 == record["sha256"]


def test_training_needs_its_data(places, tmp_path):
    with pytest.raises(RecollectError, match=r"No prepared data set in .*digits"):
        make_extractor("cnn_digits", places, tmp_path)


def test_weights_of_another_network_are_not_written(made, places, tmp_path, monkeypatch):
    spec = made.published(tmp_path / "weights" / "lenet_Omniglot", id="lenet_omniglot")
    monkeypatch.setitem(EXTRACTORS, "lenet_omniglot", dataclasses.replace(spec, network="lenet5"))
    with pytest.raises(ExtractorError, match="do not fit its network lenet5"):
        make_extractor("lenet_omniglot", places, tmp_path)
    assert not places.extractor("lenet_omniglot").exists()


def test_a_killed_step_leaves_no_record(made, places, tmp_path, monkeypatch):
    monkeypatch.setitem(EXTRACTORS, "lenet_mnist", made.published(tmp_path / "weights" / "lenet_MNIST"))
    make_extractor("lenet_mnist", places, tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("recollect.steps.extractor.write_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        make_extractor("lenet_mnist", places, tmp_path)
    assert not (places.extractor("lenet_mnist") / "extractor.json").exists()


def test_reference_features_are_those_of_each_task(made, ready):
    split(SCENARIO, [0, 1], ready)
    reference(SCENARIO, "cnn_digits", [0, 1], ready)
    images = np.load(ready.data("digits") / "test_x.npy")
    labels = np.load(ready.data("digits") / "test_y.npy")
    for seed in (0, 1):
        found = read_reference(ready.features("s", "cnn_digits", seed))
        manifest = read_manifest(ready.split("s", seed))
        assert found.split_sha256 == manifest["sha256"]
        assert (found.extractor, found.extractor_sha256) == ("cnn_digits", made.extractor("cnn_digits").sha256)
        assert found.counts == [int(np.isin(labels, task["classes"]).sum()) for task in manifest["tasks"]]
        for task, stored in enumerate(found.tasks):
            wanted = features(made.extractor("cnn_digits"), images[rows(manifest, task, "test")])
            assert stored.dtype == np.float32
            np.testing.assert_allclose(stored, wanted, rtol=1e-4, atol=1e-5)


def test_a_number_does_not_depend_on_the_seeds_asked_for_together(ready):
    scenario = {**SCENARIO, "protocol": "dirichlet", "alpha": 1.0, "n_tasks": 3, "variant": "plain"}
    split(scenario, [0, 1], ready)
    reference(scenario, "cnn_digits", [1], ready)
    alone = ready.features("s", "cnn_digits", 1).read_bytes()
    reference(scenario, "cnn_digits", [0, 1], ready)
    assert ready.features("s", "cnn_digits", 1).read_bytes() == alone


def test_images_go_through_the_network_once(ready, monkeypatch):
    seen = []

    def counted(extractor, images):
        seen.append(len(images))
        return features(extractor, images)

    monkeypatch.setattr("recollect.steps.reference.features", counted)
    split(SCENARIO, [0, 1, 2], ready)
    reference(SCENARIO, "cnn_digits", [0, 1, 2], ready)
    assert seen == [355]


def write_data(folder, n, seed):
    """A prepared data set of random 8x8 images."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for half in ("train", "test"):
        np.save(folder / f"{half}_x.npy", rng.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8))
        np.save(folder / f"{half}_y.npy", np.arange(n) % 2)
    info = {
        "schema": 1, "dataset": folder.name, "title": "", "n_classes": 2, "input_shape": [1, 8, 8],
        "train": {"n": n}, "test": {"n": n}, "content_sha256": f"content {seed}", "verified": "", "source": "",
        "files": [],
    }  # fmt: skip
    write_info(info, folder / "dataset.json")


def test_rows_of_several_data_sets(made, ready):
    write_data(ready.data("a"), 10, 0)
    write_data(ready.data("b"), 6, 1)
    scenario = {"id": "two", "datasets": ["a", "b"], "protocol": "corpora"}
    split(scenario, [0], ready)
    reference(scenario, "cnn_digits", [0], ready)
    found = read_reference(ready.features("two", "cnn_digits", 0))
    assert found.counts == [10, 6]
    for name, stored in zip("ab", found.tasks, strict=True):
        images = np.load(ready.data(name) / "test_x.npy")
        assert np.array_equal(stored, features(made.extractor("cnn_digits"), images))


def test_evaluation_images(ready):
    write_data(ready.data("a"), 10, 0)
    split({"id": "one", "datasets": ["a"], "protocol": "class-incremental", "n_tasks": 2}, [0], ready)
    from recollect.datasets import open_prepared

    data = open_prepared(ready.data("a"))
    part, arrays, chosen = evaluation_images([data], read_manifest(ready.split("one", 0)), 1)
    assert part == "test"
    assert arrays[0] is data.test_x
    assert chosen.tolist() == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("protocol", "named"),
    [({"protocol": "permuted-pixels"}, "permute"), ({"protocol": "rotated"}, "rotate_degrees")],
)
def test_transformed_images_are_refused(ready, protocol, named):
    scenario = {**SCENARIO, **protocol, "n_tasks": 3}
    split(scenario, [0], ready)
    with pytest.raises(
        RecollectError, match=rf"protocol {protocol['protocol']} changes the images of task . \({named}"
    ):
        reference(scenario, "cnn_digits", [0], ready)
    assert not ready.features("s", "cnn_digits", 0).exists()


def test_other_data_than_the_split(ready):
    split(SCENARIO, [0], ready)
    ready.data("digits").unlink()
    write_data(ready.data("digits"), 10, 3)
    with pytest.raises(RecollectError, match=r"seed0.json was made for other data: delete it and run again"):
        reference(SCENARIO, "cnn_digits", [0], ready)


def test_reference_from_the_command_line(ready, capsys):
    split(SCENARIO, [0], ready)
    results = ["--results", str(ready.results), "--seeds", "0"]
    call = ["reference", "--scenario", json.dumps(SCENARIO), *results, "--extractor"]
    assert main([*call, "cnn_digits", "--device", "cpu", "--threads", "1"]) == 0
    assert read_reference(ready.features("s", "cnn_digits", 0)).counts == [71, 71, 72, 71, 70]
    assert main([*call, "lenet_mnist"]) == 1
    assert "is missing: make it with `recollect extractor lenet_mnist`" in capsys.readouterr().err


def test_wrong_shape_from_the_command_line(made, ready, capsys):
    folder = ready.extractor("lenet_mnist")
    write_weights(folder / "weights.safetensors", made.weights("lenet_mnist"))
    (folder / "extractor.json").write_text(
        json.dumps({"id": "lenet_mnist", "sha256": made.extractor("lenet_mnist").sha256})
    )
    split(SCENARIO, [0], ready)
    call = ["reference", "--scenario", json.dumps(SCENARIO), "--extractor", "lenet_mnist", "--seeds", "0"]
    assert main([*call, "--results", str(ready.results)]) == 1
    assert capsys.readouterr().err == (
        "recollect reference: extractor lenet_mnist takes images of shape (1, 28, 28), these are an array of "
        "shape (355, 1, 8, 8): choose an extractor for them (cnn_digits, inception)\n"
    )
