"""Backbones: tokens, weights found and checked, pre-training that resumes, and what is refused."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recollect.config.schema import ConfigError
from recollect.config.suite_backbones import check_backbone
from recollect.errors import RecollectError
from recollect.extractors.weights import weights_sha256, write_weights
from recollect.pretrained.adapters import Adapters
from recollect.pretrained.backbones import load_backbone
from recollect.pretrained.lora import LoRA
from recollect.pretrained.pretraining import Pretrainer, learning_rate, rows_of
from recollect.pretrained.registry import BACKBONES, Pretraining, class_half, get_backbone_spec
from recollect.pretrained.ssf import SSF
from recollect.pretrained.vpt import VPT
from recollect.pretrained.weights import Located, published_weights, read_backbone
from recollect.steps.places import Places
from recollect.steps.pretrain import pretrain, with_weights


@pytest.fixture
def tiny_vit():
    return load_backbone("vit_tiny", pretrained=False)


def test_prefix_and_suffix_together_are_the_vit_itself(tiny_vit):
    x = torch.rand(3, 1, 8, 8)
    whole = tiny_vit.vit(x)
    for stop in range(3):
        torch.testing.assert_close(tiny_vit.suffix(tiny_vit.prefix(x, stop), stop), whole)
    torch.testing.assert_close(tiny_vit.features(x), whole)
    assert (tiny_vit.dim, tiny_vit.depth, tuple(whole.shape)) == (16, 2, (3, 16))


def test_adaptations_start_as_nothing_and_ssf_acts_only_inside_its_blocks(tiny_vit):
    x = torch.rand(3, 1, 8, 8)
    bare = tiny_vit.features(x)
    torch.testing.assert_close(tiny_vit.features(x, Adapters(16, 2, 4)), bare)
    ssf = SSF(tiny_vit.vit)
    assert not torch.allclose(tiny_vit.features(x, ssf), bare)
    torch.testing.assert_close(tiny_vit.features(x), bare)
    with torch.no_grad():
        for scale, shift in zip(ssf.scales, ssf.shifts, strict=True):
            scale.fill_(1.0)
            shift.zero_()
    torch.testing.assert_close(tiny_vit.features(x, ssf), bare)
    lora = LoRA(tiny_vit.vit, rank=4, alpha=8)
    torch.testing.assert_close(tiny_vit.features(x, lora), bare)


def test_lora_is_gaussian_times_zero_at_twice_the_scale():
    backbone = load_backbone("vit_tiny", pretrained=False)
    weight = backbone.vit.blocks[0].attn.qkv.weight.detach().clone()
    torch.manual_seed(0)
    lora = LoRA(backbone.vit, rank=16, alpha=32)
    named = dict(lora.named_parameters())
    a = next(p for name, p in named.items() if "blocks/0/" in name and "lora_A" in name)
    b = next(p for name, p in named.items() if "blocks/0/" in name and "lora_B" in name)
    assert (tuple(a.shape), tuple(b.shape)) == ((16, 16), (48, 16))
    assert a.std().item() == pytest.approx(1 / 16, rel=0.2)
    assert b.abs().sum() == 0
    with torch.no_grad():
        b.normal_()
    x = torch.randn(5, 16)
    layer = backbone.vit.blocks[0].attn.qkv
    expected = torch.nn.functional.linear(x, weight + 2.0 * b @ a, layer.base_layer.bias)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("deep", [True, False])
def test_prompts_lengthen_the_sequence_once(tiny_vit, deep):
    prompts = VPT(16, 2, length=3, deep=deep)
    tokens = tiny_vit.tokens(torch.rand(2, 1, 8, 8))
    longer = prompts.enter(tokens)
    assert longer.shape[1] == tokens.shape[1] + 3
    for number, block in enumerate(tiny_vit.vit.blocks):
        longer = prompts.block(number, block, longer)
        assert longer.shape[1] == tokens.shape[1] + 3
    assert prompts.prompts.shape[0] == (2 if deep else 1)


def test_images_of_other_sizes_are_resized_and_other_channels_refused(tiny_vit):
    assert tiny_vit.features(torch.rand(2, 1, 5, 5)).shape == (2, 16)
    with pytest.raises(RecollectError, match="takes 1 channels, these images have 3"):
        tiny_vit.features(torch.rand(2, 3, 8, 8))


def test_any_vit_of_timm_by_name_without_weights():
    backbone = load_backbone("vit_tiny_patch16_224", pretrained=False)
    assert (backbone.dim, backbone.depth, backbone.image, backbone.channels) == (192, 12, 224, 3)
    assert backbone.features(torch.rand(1, 1, 32, 32)).shape == (1, 192)


def test_names_that_timm_does_not_know_are_refused():
    with pytest.raises(RecollectError, match=r"timm has no model 'vit_bas_patch16_224'.*vit_base_patch16_224"):
        load_backbone("vit_bas_patch16_224", pretrained=False)
    with pytest.raises(RecollectError, match="resnet18 of timm is a ResNet"):
        load_backbone("resnet18", pretrained=False)
    with pytest.raises(RecollectError, match="backbone 'no such' is none"):
        get_backbone_spec("no such")


def test_missing_weights_say_which_file_whence_and_where(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RecollectError) as error:
        published_weights("vit_tiny_patch16_224", tmp_path, offline=True)
    text = str(error.value)
    assert str(tmp_path / "weights" / "vit_tiny_patch16_224.safetensors") in text
    assert "https://huggingface.co/timm/vit_tiny_patch16_224" in text
    assert "pretrained: false" in text


def test_local_file_is_taken_and_one_of_another_network_refused(tmp_path):
    from recollect.pretrained.weights import bare_timm

    vit, _, _ = bare_timm("vit_tiny_patch16_224")
    weights = {k: torch.randn_like(v) for k, v in vit.state_dict().items()}
    file = tmp_path / "weights" / "vit_tiny_patch16_224.safetensors"
    write_weights(file, {**weights, "head.weight": torch.zeros(10, 192), "head.bias": torch.zeros(10)})
    found, how = published_weights("vit_tiny_patch16_224", tmp_path, offline=True)
    assert how == {"how": "a local file", "file": file.name}
    assert weights_sha256(found) == weights_sha256(weights)
    write_weights(file, {k: v for k, v in weights.items() if not k.startswith("blocks.11.")})
    with pytest.raises(RecollectError, match=r"does not hold the weights of this backbone, blocks\.11"):
        published_weights("vit_tiny_patch16_224", tmp_path, offline=True)


def made(tmp_path):
    places = Places(tmp_path)
    return places, pretrain("vit_tiny", places, tmp_path)


def test_weights_come_back_and_changed_ones_are_refused(tmp_path):
    places, record = made(tmp_path)
    folder = places.backbone("vit_tiny")
    weights, sha256 = read_backbone(folder, "vit_tiny")
    assert sha256 == record["sha256"]
    located = Located.at("vit_tiny", sha256, folder)
    assert load_backbone(located).sha256 == sha256
    with pytest.raises(RecollectError, match="the backbone was made anew since"):
        load_backbone(Located.at("vit_tiny", "0" * 64, folder))
    write_weights(folder / "weights.safetensors", {k: v + 1 for k, v in weights.items()})
    with pytest.raises(RecollectError, match=r"holds other weights than backbone\.json"):
        load_backbone(located)
    (folder / "backbone.json").unlink()
    with pytest.raises(RecollectError, match="make it with `recollect pretrain vit_tiny`"):
        load_backbone(located)


def test_hash_of_the_weights_is_part_of_a_runs_stamp_and_their_place_is_not(tmp_path):
    from recollect.engine.runner import Plan

    stamps = set()
    for folder in ("a", "b"):
        places, record = made(tmp_path / folder)
        hyper = {"backbone": "vit_tiny", "pretrained": True}
        spec = with_weights({"method": {"hyper": hyper}}, places)
        assert json.loads(json.dumps(spec))["method"]["hyper"]["backbone"] == f"vit_tiny@{record['sha256'][:16]}"
        stamps.add(Plan(spec).stamp(0, "split", ["data"], "cpu"))
    assert len(stamps) == 1
    assert hyper["backbone"] == "vit_tiny"
    plain = {"method": {"hyper": {"backbone": "vit_tiny", "pretrained": False}}}
    assert with_weights(plain, places) is plain


RECIPE = Pretraining("digits", (3, 1), epochs=4, batch_size=8, warmup_epochs=1)
SPEC = replace(BACKBONES["vit_tiny"], pretraining=RECIPE)


def data():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(5), 12)
    return rng.integers(0, 256, (60, 1, 8, 8)).astype(np.uint8), y


def test_only_the_chosen_classes_are_used():
    rows, places = rows_of(np.array([0, 3, 1, 3, 2]), (3, 1))
    assert (rows.tolist(), places.tolist()) == ([1, 2, 3], [0, 1, 0])


@pytest.mark.parametrize("killed_after", [1, 3])
def test_killed_pretraining_ends_with_the_same_weights(tmp_path, killed_after, monkeypatch):
    def trainer(folder):
        return Pretrainer(SPEC, *data(), folder / ".state", "stamp", save_every_s=0.0, say=lambda text: None)

    expected = trainer(tmp_path / "whole").train()
    one_epoch = Pretrainer._one_epoch

    def dying(self):
        if self.epoch == killed_after:
            raise KeyboardInterrupt
        return one_epoch(self)

    monkeypatch.setattr(Pretrainer, "_one_epoch", dying)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "killed").train()
    monkeypatch.setattr(Pretrainer, "_one_epoch", one_epoch)
    again = trainer(tmp_path / "killed")
    found = again.train()
    assert again.state_file.exists()
    assert list(found) == list(expected)
    assert not any(name.startswith("head.") for name in found)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert weights_sha256(found) != weights_sha256({k: v * 0 for k, v in found.items()})


def test_finished_weights_outlive_outputs_that_snakemake_deletes(tmp_path, monkeypatch):
    """As it does with those of a job that it did not see end; damaged ones and those of other code are no help."""
    from recollect.steps import pretrain as step

    (x, y), trained = data(), []
    prepared = SimpleNamespace(train_x=x, train_y=y, test_x=x, test_y=y, info={"content_sha256": "d"})
    monkeypatch.setattr(step, "get_tower_spec", lambda name: SPEC)
    monkeypatch.setattr(step, "open_prepared", lambda folder: prepared)
    train = Pretrainer.train
    monkeypatch.setattr(Pretrainer, "train", lambda self: trained.append(1) or train(self))
    folder = Places(tmp_path).backbone("vit_tiny")
    outputs = [folder / "backbone.json", folder / "weights.safetensors"]
    first = json.loads(json.dumps(pretrain("vit_tiny", Places(tmp_path), tmp_path)))
    content = [path.read_bytes() for path in outputs]
    assert not (folder / ".state").exists()
    for path in outputs:
        path.unlink()
    assert pretrain("vit_tiny", Places(tmp_path), tmp_path) == first
    assert [path.read_bytes() for path in outputs] == content
    assert len(trained) == 1
    for name in ("backbone.json", "weights.safetensors"):
        stored = folder / ".finished" / name
        stored.write_bytes(stored.read_bytes()[:-9] + b"*" * 9)
        assert pretrain("vit_tiny", Places(tmp_path), tmp_path)["sha256"] == first["sha256"]
    assert len(trained) == 3
    monkeypatch.setattr(step, "pretraining_fingerprint", lambda module: "other")
    pretrain("vit_tiny", Places(tmp_path), tmp_path)
    assert len(trained) == 4


def test_pretraining_learns(tmp_path):
    x, y = data()
    x[y == 3] = 255 - x[y == 3] // 8
    recipe = replace(RECIPE, epochs=20, label_smoothing=0.0, augmentation="none")
    trainer = Pretrainer(replace(SPEC, pretraining=recipe), x, y, tmp_path / ".state", "stamp")
    trainer.train()
    assert trainer.accuracy(x, y) == 1.0


def test_learning_rate_warms_up_and_falls():
    assert learning_rate(RECIPE, 0.5) == pytest.approx(RECIPE.lr / 2)
    assert learning_rate(RECIPE, 1.0) == pytest.approx(RECIPE.lr)
    assert learning_rate(RECIPE, 2.5) == pytest.approx(RECIPE.lr / 2)
    assert learning_rate(RECIPE, 4.0) == pytest.approx(0.0)


def test_halves_of_the_classes_are_fixed():
    half = class_half(100)
    assert (len(half), half[:6]) == (50, (0, 3, 8, 9, 10, 11))
    assert class_half(100) == half
    assert class_half(100, seed=1) != half


SCENARIO = {"id": "s", "protocol": "class-incremental", "datasets": ["cifar100"]}


def test_backbones_that_have_seen_the_classes_are_refused():
    rest = [c for c in range(100) if c not in class_half(100)]
    check_backbone("vit_cifar50", {**SCENARIO, "class_order": {"permuted": rest}}, "method m")
    for order in ("permuted", [*rest[1:], 0], {"permuted": [5, 0]}):
        with pytest.raises(ConfigError, match=r"was trained on classes \[0.*method m|method m.*classes \[0"):
            check_backbone("vit_cifar50", {**SCENARIO, "class_order": order}, "method m")


def test_backbones_need_disjoint_classes_and_fitting_channels():
    with pytest.raises(ConfigError, match="need protocol class-incremental, this is dirichlet"):
        check_backbone("vit_cifar50", {**SCENARIO, "protocol": "dirichlet"}, "method m")
    with pytest.raises(ConfigError, match="vit_digits05 takes 1 channels"):
        check_backbone("vit_digits05", SCENARIO, "method m")
    with pytest.raises(ConfigError, match="backbone 'Vit' is none"):
        check_backbone("Vit", SCENARIO, "method m")


def test_scenarios_of_embedded_backbones_use_other_classes():
    from recollect.config.schema import read_yaml
    from recollect.layout import ROOT

    scenarios = read_yaml(ROOT / "config" / "scenarios.yaml")
    assert set(scenarios["cifar100_other50"]["class_order"]["permuted"]) == set(range(100)) - set(class_half(100))
    assert set(scenarios["digits_other4"]["class_order"]["permuted"]) == set(range(6, 10))
