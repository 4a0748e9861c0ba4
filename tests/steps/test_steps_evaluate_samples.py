"""Judging stored generators on a results folder of random images: numbers, provenance, and runs that have none."""

import json
import shutil

import numpy as np
import pytest
import torch

from recollect.datasets.store import write_info
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.engine.snapshots import load_snapshot
from recollect.errors import RecollectError
from recollect.extractors.features import features, load_extractor
from recollect.extractors.networks import NETWORKS
from recollect.extractors.weights import weights_sha256, write_weights
from recollect.files import read_json, write_json
from recollect.generation.evaluation import draw
from recollect.metrics.generative.frechet import frechet_distance
from recollect.metrics.generative.wasserstein import zdc_wasserstein_channels
from recollect.steps import evaluate_samples as step
from recollect.steps.collect import collect
from recollect.steps.evaluate_samples import evaluate_samples
from recollect.steps.extractor import make_extractor
from recollect.steps.places import Places
from recollect.steps.reference import reference
from recollect.steps.split import split
from recollect.steps.stored_models import StoredModels
from recollect.steps.train import LoadedData, train

SCENARIO = {
    "id": "toys", "datasets": ["toys"], "protocol": "class-incremental", "n_tasks": 2, "validation": 0.0,
    "extractor": "cnn_digits",
}  # fmt: skip
SHOWERS = {**SCENARIO, "id": "showers", "datasets": ["showers"], "extractor": "zdc_channels"}
TINY = {"epochs": 1, "batch_size": 16, "lr": 0.001}
VAE = {"latent": 2, "binary": 2, "gen_d": 2}
TOLD = "delete the folder of this run and run again"


def write_data(folder, shape, n_test, scale=None):
    """Four classes in turn; bytes, or numbers up to ``scale``."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    info = {
        "schema": 1, "dataset": folder.name, "title": "", "n_classes": 4, "input_shape": list(shape),
        "train": {"n": 32}, "test": {"n": n_test}, "content_sha256": folder.name, "verified": "", "source": "",
        "files": [], **({} if scale is None else {"dtype": "float32", "value_range": [0.0, scale]}),
    }  # fmt: skip
    for half, n in (("train", 32), ("test", n_test)):
        x = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        np.save(folder / f"{half}_x.npy", x if scale is None else (x / 255 * scale).astype("<f4"))
        np.save(folder / f"{half}_y.npy", np.arange(n) % 4)
    write_info(info, folder / "dataset.json")


def run(places, scenario, method="vae_replay", seeds=(0, 1), hyper=VAE):
    from recollect.engine.settings import TrainSettings

    settings = {**vars(TrainSettings()), **TINY}
    spec = {
        "scenario": scenario, "method": {"id": method, "file": method, "train": settings, "hyper": hyper},
        "engine": {"device": "cpu", "threads": 1}, "code": "0",
    }  # fmt: skip
    split(scenario, seeds, places)
    train(spec, seeds, places)
    reference(scenario, scenario["extractor"], seeds, places)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two seeds of a VAE on toys, 40 test images per task, judged with random weights."""
    places = Places(tmp_path_factory.mktemp("made") / "results")
    write_data(places.data("toys"), (1, 8, 8), 80)
    torch.manual_seed(0)
    weights = NETWORKS["small_cnn"](10).state_dict()
    write_weights(places.extractor("cnn_digits") / "weights.safetensors", weights)
    record = {"id": "cnn_digits", "sha256": weights_sha256(weights)}
    (places.extractor("cnn_digits") / "extractor.json").write_text(json.dumps(record))
    run(places, SCENARIO)
    return places


@pytest.fixture
def places(made, tmp_path):
    """A copy to be damaged."""
    shutil.copytree(made.results, tmp_path / "results")
    return Places(tmp_path / "results")


def judged(places, scenario=SCENARIO, method="vae_replay", seeds=(0,)):
    evaluate_samples(scenario, method, seeds, places)
    stored = json.loads(places.metrics(scenario["id"], method).read_text())
    assert (stored["scenario"], stored["method"]) == (scenario["id"], method)
    return stored["runs"]


@pytest.fixture
def cheap(monkeypatch):
    """FID without the other metrics."""
    import dataclasses

    from recollect.generation.measures import MEASURES

    fid = dataclasses.replace(MEASURES["features"], finally_too=lambda *_: {})
    monkeypatch.setattr(step, "MEASURES", {**MEASURES, "features": fid})


def test_what_is_stored_of_a_run(places):
    (first,) = judged(places)
    assert (first["seed"], first["status"]) == (0, "ok")
    names = ["fid", "fid_just_learned", "fid_change", "precision", "recall", "knn_precision", "knn_recall", "kid"]
    assert set(first["metrics"]) == {f"{name}@cnn_digits" for name in names}
    found = first["generation"]
    assert found["fid"][0][1] is None
    assert first["metrics"]["fid@cnn_digits"] == pytest.approx(np.mean(found["fid"][1]))
    assert set(found["final"]) == {"precision", "recall", "knn_precision", "knn_recall", "kid"}
    assert (found["n_generated"], found["n_reference"]) == ([40, 40], [40, 40])
    assert (found["extractor"], found["feature_dim"], found["value_range"]) == ("cnn_digits", 16, [0.0, 1.0])
    assert found["extractor_sha256"] == load_extractor(places.extractor("cnn_digits")).sha256
    assert found["rank_deficient"] is False
    assert first["costs"]["wall_s"] > 0
    assert first["costs"]["evaluate_s"] >= found["evaluate_s"] > 0


@pytest.mark.usefixtures("cheap")
def test_an_fid_by_hand(places):
    (found,) = judged(places, seeds=(1,))
    extractor = load_extractor(places.extractor("cnn_digits"))
    record = json.loads((places.run("toys", "vae_replay", 1) / "run.json").read_text())
    manifest = json.loads(places.split("toys", 1).read_text())
    data = LoadedData([step.open_prepared(places.data("toys"))], torch.device("cpu"))
    use_deterministic_algorithms(1)
    folder = places.run("toys", "vae_replay", 1)
    model = StoredModels(record, folder, manifest, data, torch.device("cpu"))[1]
    stored = load_snapshot(folder, 1, record["snapshots"], "")
    assert torch.equal(model.ones, stored["ones"])
    made = features(extractor, draw(model.sample, 40, 0, seed=1, after=1))
    x = data.datasets[0].test_x[np.isin(data.datasets[0].test_y, manifest["tasks"][0]["classes"])]
    wanted = frechet_distance(made, features(extractor, x))
    assert found["generation"]["fid"][1][0] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.usefixtures("cheap")
def test_every_seed_is_judged(places):
    first, second = judged(places, seeds=(0, 1))
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["metrics"] != second["metrics"]


@pytest.mark.usefixtures("cheap")
def test_the_same_bytes_again_but_for_seconds(places):
    runs = [judged(places) for _ in range(2)]
    for one in runs:
        assert one[0]["generation"].pop("evaluate_s") >= 0
        assert one[0]["costs"].pop("evaluate_s") >= 0
    assert runs[0] == runs[1]


@pytest.mark.usefixtures("cheap")
def test_samples_beyond_black_and_white_are_cut(places, monkeypatch):
    """Values of 0 and 1, and of -1 and 2, are the same picture."""

    def within(n, task, generator):
        return torch.rand(n, 1, 8, 8, generator=generator).round()

    def beyond(n, task, generator):
        return 3 * within(n, task, generator) - 1

    values = []
    for sampler in (within, beyond):
        monkeypatch.setattr(step, "samplers", lambda *_, sampler=sampler: [sampler] * 2)
        values.append(judged(places)[0]["generation"]["fid"])
    assert values[0] == values[1]


@pytest.mark.usefixtures("cheap")
def test_fewer_images_than_features_are_noted_down_to_the_table(places, tmp_path):
    shutil.rmtree(places.data("toys"))
    write_data(places.data("toys"), (1, 8, 8), 32)
    run(places, SCENARIO, seeds=(0,))
    (found,) = judged(places)
    assert found["generation"]["rank_deficient"] is True
    suite = {"suite": "s", "scenarios": ["toys"], "methods": ["vae_replay"], "seeds": [0]}
    collect(suite, places)
    rows = places.collected("s").read_text().splitlines()
    (row,) = [line for line in rows if ",fid@cnn_digits," in line]
    assert "singular covariances, 16 samples per task for 16 features" in row


# Runs without numbers ------------------------------------------------------------------------------


def change(places, seed, **values):
    path = places.run("toys", "vae_replay", seed) / "run.json"
    write_json(path, {**read_json(path, ""), **values})


@pytest.mark.usefixtures("cheap")
def test_a_diverged_run_keeps_its_reason(places):
    change(places, 0, status="diverged", reason="diverged: at task 1, step 3")
    first, second = judged(places, seeds=(0, 1))
    assert (first["status"], first["reason"]) == ("diverged", "diverged: at task 1, step 3")
    assert first["metrics"] == {}
    assert "generation" not in first
    assert second["status"] == "ok"


@pytest.mark.usefixtures("cheap")
def test_samples_that_are_not_finite_fail_one_run_only(places, monkeypatch):
    stored = step.samplers

    def some_broken(record, *rest):
        found = stored(record, *rest)
        if record["seed"] == 0:
            found[1] = lambda n, task, generator: torch.full((n, 1, 8, 8), float("nan"))
        return found

    monkeypatch.setattr(step, "samplers", some_broken)
    first, second = judged(places, seeds=(0, 1))
    assert first["status"] == "failed"
    assert "40 of 40 samples of task 0 after task 1 hold values that are not finite" in first["reason"]
    assert (first["metrics"], second["status"]) == ({}, "ok")


def refused(places):
    with pytest.raises(RecollectError) as error:
        evaluate_samples(SCENARIO, "vae_replay", [0], places)
    return str(error.value)


def test_another_split(places):
    change(places, 0, split_sha256="0" * 64)
    assert refused(places).endswith(f"was trained on another split than toys's seed 0: {TOLD}")


def test_a_method_that_stored_no_snapshot(places):
    change(places, 0, snapshots={})
    assert "has no snapshots, vae_replay makes no images: take `makes: images` from it" in refused(places)


def test_a_missing_snapshot(places):
    (places.run("toys", "vae_replay", 0) / "snapshots" / "task0.safetensors").unlink()
    assert refused(places).endswith(f"task0.safetensors is missing or not the one of this run: {TOLD}")


def test_reference_features_of_another_split(places):
    shutil.copyfile(places.features("toys", "cnn_digits", 1), places.features("toys", "cnn_digits", 0))
    assert "belongs to another extractor or split: delete it and run again" in refused(places)


# Calorimeter ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "hyper"),
    [
        ("adapt_align_vae", {**VAE, "network": "conv", "global_epochs": 1, "warmup_epochs": 1}),
        ("adapt_align_gan", {"latent": 3, "features": 2, "global_epochs": 1, "warmup_epochs": 1}),
        ("vae_replay", {**VAE, "network": "conv"}),
    ],
)
def test_responses_are_judged_on_their_own_scale(tmp_path, method, hyper):
    """From data to distances; nothing is cut to [0, 1], and nothing is an FID."""
    places = Places(tmp_path / "results")
    write_data(places.data("showers"), (1, 44, 44), 16, scale=6.5)
    make_extractor("zdc_channels", places, tmp_path)
    run(places, SHOWERS, method, seeds=(0,), hyper=hyper)
    (found,) = judged(places, SHOWERS, method)
    assert found["status"] == "ok"
    names = [
        f"{name}{when}" for name in ("w1_log_pooled", "w1_channels") for when in ("", "_just_learned", "_change")
    ]
    assert set(found["metrics"]) == {f"{name}@zdc_channels" for name in names}
    generation = found["generation"]
    assert generation["value_range"] == "that of the data"
    assert "fid" not in generation
    record = json.loads((places.run("showers", method, 0) / "run.json").read_text())
    manifest = json.loads(places.split("showers", 0).read_text())
    data = LoadedData([step.open_prepared(places.data("showers"))], torch.device("cpu"))
    assert data.value_range == (0.0, 6.5)
    use_deterministic_algorithms(1)
    models = StoredModels(record, places.run("showers", method, 0), manifest, data, torch.device("cpu"))
    made = draw(models[1].sample, 8, 0, seed=0, after=1)
    assert made.max() > 1.5 or made.min() < 0
    real = data.datasets[0].test_x[np.isin(data.datasets[0].test_y, manifest["tasks"][0]["classes"])]
    wanted = zdc_wasserstein_channels(made[:, 0].numpy(), real[:, 0])
    assert generation["w1_channels"][1][0] == pytest.approx(wanted, rel=1e-5)
