"""Generative replay of frozen features, with kept ones beside."""

import numpy as np
import pytest
import torch

from recollect.engine.images import ready_images
from recollect.errors import RecollectError

HYPER = {"vae_latent": 8, "vae_width": 64}
TRAIN = {"optimizer": "adam", "lr": 0.003, "mm_adapter": "none", "epochs": 15}


@pytest.fixture(scope="module")
def benchmark(paired):
    return paired.benchmark(missing=0.2)


@pytest.fixture(scope="module")
def learnt(paired, benchmark, tmp_path_factory):
    """Runs by name, each trained once."""
    made = {}
    chosen = {
        "naive": ("naive", {}),
        "replay": ("feature_replay", HYPER),
        "memory": ("feature_replay", {**HYPER, "buffer_size": 30, "replay_batch_size": 16}),
    }

    def run(name):
        if name not in made:
            method, hyper = chosen[name]
            made[name] = paired.runner(tmp_path_factory.mktemp(name), method, benchmark, hyper=hyper, **TRAIN)
            assert made[name].run()["status"] == "ok"
        return made[name]

    return run


def old_kept(run, benchmark):
    """Share of the first task's test samples that are still taken for classes of that task, after the last."""
    n = len(ready_images(benchmark.test_stream[0].dataset, torch.device("cpu")))
    with np.load(run.folder / "predictions.npz") as stored:
        return float(np.mean(stored["test"][-1][:n] < 2))


def test_old_tasks_survive_with_replay_only(learnt, benchmark):
    without = old_kept(learnt("naive"), benchmark)
    assert without < 0.1
    assert old_kept(learnt("replay"), benchmark) > without + 1 / 3
    assert old_kept(learnt("memory"), benchmark) > without + 1 / 3


def test_what_is_kept_are_features_of_past_samples_with_their_labels(learnt, benchmark):
    strategy = learnt("memory").strategy
    known = {}
    for experience in benchmark.train_stream:
        images = ready_images(experience.dataset, torch.device("cpu"))
        rows = images.gather(torch.arange(len(images)))
        for feature, label in zip(strategy.model.features(rows), images.labels.tolist(), strict=True):
            known[feature.numpy().round(4).tobytes()] = label
    kept, labels, _, _ = strategy.buffer.draw(100)
    assert kept.shape == (30, strategy.model.size)
    assert [known[x.numpy().round(4).tobytes()] for x in kept] == labels.tolist()
    assert set(labels.tolist()) >= {0, 2, 4} or set(labels.tolist()) >= {1, 3, 5}


def test_kept_features_come_after_the_generated_ones(learnt):
    strategy = learnt("memory").strategy
    x, y, task = strategy.replay(7)
    assert x.shape == (23, strategy.model.size)
    assert (task == strategy.outputs.first_task()[y]).all()
    stored = {
        row.numpy().tobytes(): int(label) for row, label in zip(strategy.buffer.x, strategy.buffer.y, strict=True)
    }
    assert [stored[row.numpy().tobytes()] for row in x[7:]] == y[7:].tolist()
    assert all(row.numpy().tobytes() not in stored for row in x[:7])


def test_without_a_buffer_nothing_is_kept(learnt):
    strategy = learnt("replay").strategy
    assert len(strategy.buffer) == 0
    assert len(strategy.replay(7)[0]) == 7


def test_adapters_are_refused(paired, benchmark, tmp_path):
    with pytest.raises(RecollectError, match="mm_adapter: none"):
        paired.runner(tmp_path, "feature_replay", benchmark, **{**TRAIN, "mm_adapter": "cross_modality"}).run()
