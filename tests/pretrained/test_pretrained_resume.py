"""Methods on pre-trained backbones, killed anywhere and resumed, end bit for bit as if nothing had happened."""

import random

import pytest
import torch
from killing import attempt

from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.engine import monitor
from recollect.engine.answering import check_storable, model_tensors, restore_model, save_model
from recollect.layout import ROOT
from recollect.plan import DEFAULT

TINY = {"backbone": "vit_tiny", "pretrained": False}
ALIGN = {"align_epochs": 2, "align_samples": 6, "align_batch_size": 5}
METHODS = {
    "lca": ("lca", {"rank": 2, **ALIGN}, {}),
    "lca cached tokens ties": ("lca", {"rank": 2, "first_block": 1, "merge_rule": "ties", **ALIGN}, {}),
    "lca ca bf16": ("lca", {"rank": 2, "align": "ca", "precision": "bf16", **ALIGN}, {}),
    "lca im crop_flip adapter": ("lca", {"peft": "adapter", "align": "none"}, {"augmentation": "crop_flip"}),
    "lca merged low rank": (
        "lca",
        {"rank": 2, "statistics": "merged", "covariance": "low_rank", "covariance_rank": 3, **ALIGN},
        {},
    ),
    "simplecil": ("simplecil", {}, {}),
    "mos": ("mos", {"adapter_width": 3, "first_block": 1, **ALIGN}, {}),
    "aper adapter": ("aper", {"adapter_width": 3, "first_block": 1}, {}),
    "aper finetune": ("aper", {"peft": "finetune"}, {}),
    "aper ssf": ("aper", {"peft": "ssf", "first_block": 1}, {}),
    "aper vpt deep": ("aper", {"peft": "vpt_deep", "prompts": 2}, {}),
    "aper vpt shallow": ("aper", {"peft": "vpt_shallow", "prompts": 2}, {"augmentation": "crop_flip"}),
    "slca": ("slca", {"milestones": [1], **ALIGN}, {}),
    "slca lca": ("slca", {"align": "lca", "first_block": 1, **ALIGN}, {}),
    "ease": ("ease", {"adapter_width": 3, "first_block": 1, "bare_weight": 1.0}, {}),
    "ranpac": ("ranpac", {"adapter_width": 3, "projected": 9}, {}),
    "fetril": ("fetril", {"adapter_width": 3, "first_block": 1, "classifier_epochs": 2}, {}),
    "first session adaptation": ("first_session_adaptation", {"first_block": 1}, {}),
    "pretrained naive": ("pretrained_naive", {"rank": 2, "first_block": 1}, {}),
    "pretrained joint": ("pretrained_joint", {"rank": 2, "first_block": 1}, {}),
    "l2p": ("l2p", {"pool": 4, "prompt_length": 2, "chosen": 2, "first_block": 1}, {}),
    "l2p crop_flip": ("l2p", {"pool": 4, "prompt_length": 2, "chosen": 2}, {"augmentation": "crop_flip"}),
    "dualprompt": ("dualprompt", {"general_blocks": 1, "expert_blocks": 1}, {}),
    "coda_prompt": ("coda_prompt", {"pool": 6, "prompt_length": 2}, {}),
    "mos lca": ("mos", {"adapter_width": 3, "align": "lca", "covariance": "diagonal", **ALIGN}, {}),
}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


@pytest.fixture(autouse=True)
def saving_often(monkeypatch):
    monkeypatch.setattr(monitor, "CHECK_EVERY", 2)


@pytest.mark.parametrize("method", METHODS)
def test_killed_and_resumed_equals_uninterrupted(tiny, benchmark, tmp_path, method):
    name, hyper, train = METHODS[method]
    chosen = {"momentum": 0.9, "lr": 0.05, "weight_decay": 5e-4, **train}

    def make(folder):
        return tiny.runner(folder, name, benchmark, hyper={**TINY, **hyper}, save_every_s=0.0, **chosen)

    expected, steps = attempt(make, tmp_path / "whole", [])
    assert (expected["predictions"]["test"][-1] >= 0).all()
    if steps == 0:
        return
    draw = random.Random(method)
    for number in range(2):
        places = [draw.randint(3, steps // 2), draw.randint(3, max(3, steps // 3))]
        found, _ = attempt(make, tmp_path / str(number), places)
        assert tiny.difference(expected, found) == "", places


@pytest.mark.parametrize("method", METHODS)
def test_a_stored_model_answers_as_its_run_did(tiny, benchmark, tmp_path, method):
    """The other strategy starts from other draws: all that it answers with must come from the file."""
    name, hyper, train = METHODS[method]
    chosen = {"momentum": 0.9, "lr": 0.05, "weight_decay": 5e-4, **train}
    runs = [
        tiny.runner(tmp_path / str(seed), name, benchmark, hyper={**TINY, **hyper}, seed=seed, **chosen)
        for seed in (0, 1)
    ]
    runs[0].run()
    trained, fresh = runs[0].strategy, runs[1]._build()
    check_storable(trained)
    restore_model(fresh, tmp_path, save_model(tmp_path, model_tensors(trained)), "")
    x = torch.rand(7, *benchmark.input_shape, generator=torch.Generator().manual_seed(0))
    for strategy in (trained, fresh):
        strategy.model.eval()
    found = fresh.scores(x)
    assert torch.equal(found, trained.scores(x))
    assert found.std() > 0


def test_all_that_suites_store_is_tested_here():
    """Methods were once refused after an hour of pre-training, when nothing had asked before."""
    with_a_network_alone = {"naive", "joint", "derpp"}  # tests/steps/test_steps_robustness.py
    asked = set()
    for path in sorted((ROOT / "config" / "suites").glob("*.yaml")):
        suite = Suite.load({**read_yaml(DEFAULT), **read_yaml(path)}, [DEFAULT, path])
        keeps = {name for name in suite.scenarios if suite.scenario(name).get("store_model")}
        asked |= {suite.method_file(method).stem for scenario, method in suite.pairs if scenario in keeps}
    assert {"mos", "simplecil", "coda_prompt"} <= asked
    assert asked - with_a_network_alone <= {name for name, _, _ in METHODS.values()}
