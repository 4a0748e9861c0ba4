"""Transformers that are trained here: patches by hand, both tasks, killed and resumed; and those of libraries."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recollect.config.schema import ConfigError
from recollect.config.suite_towers import check_towers
from recollect.errors import RecollectError
from recollect.multimodal import weights
from recollect.multimodal.pretraining import FillIn, TowerPretrainer, patches
from recollect.multimodal.registry import TowerPretraining, TowerSpec, get_tower_spec, tower_names
from recollect.multimodal.towers import FramesTower, Tower, random_tower, small_tower
from recollect.steps.places import Places
from recollect.steps.pretrain import with_weights

SPEC = TowerSpec(
    id="mm_test",
    title="for tests",
    size={"shape": (1, 4, 8), "patch": (2, 4), "dim": 16, "depth": 2, "heads": 2},
    pretraining=TowerPretraining("tiny", (), epochs=4, batch_size=16, lr=3e-3, warmup_epochs=1, task="masked"),
)
CLASSES = replace(
    SPEC, pretraining=TowerPretraining("tiny", (0, 2), epochs=6, batch_size=16, lr=3e-3, warmup_epochs=1)
)


def striped(n=96, seed=0):
    """Bytes (n, 1, 4, 8) that repeat to the right: hidden patches follow from the others; 3 classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    column = np.array([[30, 30, 200, 200], [200, 30, 200, 30], [30, 200, 200, 30]])[y]
    noise = rng.integers(-20, 20, (n, 4, 8))
    return np.clip(column[:, :, None] + noise, 0, 255).astype(np.uint8)[:, None], y


def test_patches_by_hand():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert patches(x, (2, 2))[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert patches(torch.cat([x, -x], dim=1), (4, 2))[0, 0].tolist()[8:] == [0, -1, -4, -5, -8, -9, -12, -13]


def test_nothing_of_a_hidden_patch_is_seen():
    model = FillIn(SPEC, seed=0)
    x = torch.rand(3, 1, 4, 8)
    mask = torch.tensor([[True, False, False, False]]).expand(3, -1)
    tokens = torch.where(mask[:, :, None], model.hidden, model.tower.patch_embed(x))
    changed = x.clone()
    changed[:, :, :2, :4] = 9.0
    again = torch.where(mask[:, :, None], model.hidden, model.tower.patch_embed(changed))
    assert torch.equal(tokens, again)
    assert model(x, mask) != model(changed, mask)


@pytest.mark.parametrize("spec", [SPEC, CLASSES], ids=["masked", "classes"])
def test_training_learns_and_killed_and_resumed_gives_the_same_weights(tiny, tmp_path, spec):
    x, y = striped()
    said = []
    whole = TowerPretrainer(spec, x, y, tmp_path / "a", "stamp", 0.0, said.append)
    before = whole.judged(*striped(seed=1))
    expected = whole.train()
    after = whole.judged(*striped(seed=1))
    if spec is SPEC:
        assert after["test_hidden_error"] < 0.7 * before["test_hidden_error"]
    else:
        assert after["test_accuracy"] > 0.9 > 0.75 > before["test_accuracy"]
    killed = TowerPretrainer(spec, x, y, tmp_path / "b", "stamp", 0.0, said.append)
    original, count = killed._one_epoch, []

    def dying():
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return original()

    killed._one_epoch = dying
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    again = TowerPretrainer(spec, x, y, tmp_path / "b", "stamp", 0.0, said.append).train()
    assert any("continues after epoch 2" in line for line in said)
    assert tiny.difference(expected, again) == ""
    network = random_tower(spec.size, 5)
    network.load_state_dict(expected)
    assert float(network.patch_embed.mean) == pytest.approx(x.mean() / 255, abs=1e-3)


def test_a_video_tower_sees_frames_one_by_one():
    """Its tokens are those of the single frames, one after another; its pooled vector is their mean."""
    network = small_tower(shape=(3, 8, 8), patch=(4, 4), dim=16, depth=2, heads=2)
    images, video = Tower(network, "n", "", (3, 8, 8)), FramesTower(network, "n", "", (2, 3, 8, 8))
    x = torch.rand(3, 2, 3, 8, 8)
    one, other = (images.layer(1, images.embed(x[:, f])) for f in range(2))
    found = video.layer(1, video.embed(x))
    torch.testing.assert_close(found, torch.cat([one, other], dim=1))
    torch.testing.assert_close(video.pool(found), (images.pool(one) + images.pool(other)) / 2)


@pytest.mark.parametrize(("name", "n"), [("ast_audioset", 2), ("byt5_small", 3)])
def test_towers_of_the_transformers_library_equal_the_library(monkeypatch, name, n):
    """Layer by layer, with small sizes: the hidden states of the library's own forward pass."""
    pytest.importorskip("transformers")
    from transformers import ASTConfig, ASTModel, T5Config, T5EncoderModel

    torch.manual_seed(0)
    if name == "ast_audioset":
        size = {"hidden_size": 24, "num_hidden_layers": n, "num_attention_heads": 2, "intermediate_size": 48}
        network = ASTModel(ASTConfig(**size, max_length=32, num_mel_bins=16, attn_implementation="eager"))
        x = torch.randn(2, 32, 16)
        expected = network.eval()(x, output_hidden_states=True).hidden_states
    else:
        size = {"vocab_size": 384, "d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": n, "num_heads": 2}
        network = T5EncoderModel(T5Config(**size, feed_forward_proj="gated-gelu")).encoder
        x = torch.tensor([list(b"abc def"), list(b"xy " + bytes(4))]) / 255
        ids = torch.where(x > 0, (x * 255).round().long() + 3, 0)
        expected = network.eval()(input_ids=ids, output_hidden_states=True).hidden_states
    tower = weights._made(network, get_tower_spec(name), "", x.shape[1:])
    assert tower.depth == n
    with torch.no_grad():
        tokens = tower.embed(x)
        torch.testing.assert_close(tokens, expected[0])
        for layer in range(n - 1):
            tokens = tower.layer(layer, tokens)
            torch.testing.assert_close(tokens, expected[layer + 1], atol=1e-5, rtol=1e-4)
    assert tower.pool(tokens).shape == (2, 24)


def test_missing_weights_of_a_library_say_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: (_ for _ in ()).throw(OSError))
    with pytest.raises(RecollectError, match=r"ast_audioset are missing: take model.safetensors of MIT/ast"):
        weights.published_tower(get_tower_spec("ast_audioset"), tmp_path, offline=True)


def test_a_run_knows_the_weights_of_its_towers_by_hash(tmp_path):
    places = Places(tmp_path)
    folder = places.backbone("mm_upper_digits")
    folder.mkdir(parents=True)
    (folder / "backbone.json").write_text('{"id": "mm_upper_digits", "sha256": "%s"}' % ("ab" * 32))
    towers = ["upper=mm_upper_digits", "lower=mm_random_deep"]
    found = with_weights({"method": {"hyper": {}, "train": {"mm_towers": towers}}}, places)
    upper, lower = found["method"]["train"]["mm_towers"]
    assert (upper, lower) == ("upper=mm_upper_digits@abababababababab", "lower=mm_random_deep")
    assert upper.folder == folder


TRAIN = {
    "model": "mm_encoder",
    "mm_towers": ["upper=mm_upper_digits", "lower=mm_lower_digits"],
    "mm_top_k": 2,
    "mm_experts": 4,
}
DIGITS = {"id": "digits_views5", "datasets": ["digits_views"], "protocol": "class-incremental"}


@pytest.mark.parametrize(
    ("train", "scenario", "said"),
    [
        ({"mm_towers": ["upper=mm_upper_digits"]}, {}, "name one for every modality"),
        ({"mm_towers": ["upper=mm_upper_digits", "lower=mm_image_fashion"]}, {}, "takes .* modality lower has"),
        ({"mm_towers": ["upper", "lower=mm_lower_digits"]}, {}, "write modality=transformer"),
        ({"mm_top_k": 5}, {}, "mm_top_k is 5 and there are 4 experts"),
        ({"model": "mlp"}, {}, "mm_towers mean nothing to model mlp"),
        ({}, {"datasets": ["digits"]}, "this has images"),
    ],
)
def test_towers_that_do_not_fit_are_refused_while_planning(train, scenario, said):
    check_towers(TRAIN, DIGITS, "method m")
    with pytest.raises(ConfigError, match=said):
        check_towers({**TRAIN, **train}, {**DIGITS, **scenario}, "method m")


def test_a_tower_named_twice_is_refused():
    with pytest.raises(ValueError, match="every modality once"):
        tower_names(["a=x", "a=y"])
