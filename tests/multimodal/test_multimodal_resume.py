"""Killed at any step and resumed, every method on the multimodal encoder ends as if nothing had happened."""

import random

import pytest
from killing import attempt

from recollect.engine import monitor

TINY = {"width": 8, "mm_rank": 2, "epochs": 2, "batch_size": 6, "lr": 0.01}
METHODS = {
    "mmcl": ("mmcl", {"freeze": "ever_selected"}, {}),
    "mmcl memory gathered": ("mmcl", {"memory_size": 7, "replay_batch_size": 3}, {"mm_compute": "gathered"}),
    "mmcl ablated": ("mmcl", {"align": "standard", "distill_weight": 0.0, "preserve_weight": 0.0}, {}),
    "naive": ("naive", {}, {"optimizer": "adam"}),
    "ewc": ("ewc", {"lam": 10.0, "fisher_samples": 5, "buffer_size": 6}, {"optimizer": "adam"}),
    "lwf": ("lwf", {"buffer_size": 6, "replay_batch_size": 3}, {"optimizer": "adam"}),
    "derpp": ("derpp", {"buffer_size": 6, "replay_batch_size": 3}, {"optimizer": "adam"}),
    "cope": ("cope", {"features": 8, "per_class": 3}, {}),
    "cope without memory": ("cope", {"features": 8, "per_class": 0}, {}),
    "feature_replay": (
        "feature_replay", {"vae_latent": 2, "vae_width": 6}, {"optimizer": "adam", "mm_adapter": "none"}
    ),
    "feature_replay memory": (
        "feature_replay", {"vae_latent": 2, "vae_width": 6, "buffer_size": 6, "replay_batch_size": 3},
        {"optimizer": "adam", "mm_adapter": "none"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def benchmark(paired):
    return paired.benchmark(per_class=9, missing=0.2)


@pytest.mark.parametrize("method", METHODS)
def test_killed_and_resumed_equals_uninterrupted(tiny, paired, benchmark, tmp_path, monkeypatch, method):
    monkeypatch.setattr(monitor, "CHECK_EVERY", 2)
    name, hyper, train = METHODS[method]

    def make(folder):
        return paired.runner(folder, name, benchmark, hyper=hyper, save_every_s=0.0, **{**TINY, **train})

    expected, steps = attempt(make, tmp_path / "whole", [])
    assert steps == 3 * 2 * 3
    assert (expected["predictions"]["test"][-1] >= 0).all()
    draw = random.Random(method)
    places = [draw.randint(3, 11), draw.randint(3, 6)]
    found, _ = attempt(make, tmp_path / "killed", places)
    assert found["record"]["status"] == "ok"
    assert tiny.difference(expected, found) == "", places


@pytest.mark.parametrize("method", ["mmcl", "lwf", "cope"])
def test_evaluation_on_or_off_gives_the_same_weights(tiny, paired, benchmark, tmp_path, method):
    name, hyper, train = METHODS[method]
    states = []
    for streams in ((), ("test",)):
        folder = tmp_path / str(len(streams))
        run = paired.runner(folder, name, benchmark, hyper=hyper, streams=streams, **{**TINY, **train})
        run.run()
        states.append(run.strategy.state_dict())
    assert tiny.difference(*states) == ""
