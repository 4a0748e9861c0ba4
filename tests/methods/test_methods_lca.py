"""LCA: what each of its steps changes and leaves alone."""

import pytest
import torch

from recollect.errors import RecollectError

HYPER = {"backbone": "vit_tiny", "pretrained": False, "rank": 2, "align_epochs": 2, "align_samples": 8}
TRAIN = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def strategy(tiny, benchmark, **hyper):
    return tiny.strategy("lca", benchmark, {**HYPER, **hyper}, **TRAIN)


def learn(made, benchmark, tasks):
    for task in tasks:
        made.train(benchmark.train_stream[task], eval_streams=[])
    return made


def copied(tensors):
    return [t.detach().clone() for t in tensors]


def test_after_the_first_task_there_is_nothing_to_merge_nor_to_align(tiny, benchmark):
    points = {}
    for rule in ("max_abs", "ties"):
        made = learn(strategy(tiny, benchmark, merge_rule=rule), benchmark, [0])
        points[rule] = made.model.adapted()
    plain = learn(tiny.strategy("lca", benchmark, {**HYPER, "align": "none"}, **TRAIN), benchmark, [0])
    for point in points.values():
        assert all(torch.equal(point[name], value) for name, value in plain.model.adapted().items())
    assert torch.equal(made.model.heads.weights[0], plain.model.heads.weights[0])
    assert any((value != made.initial[name]).any() for name, value in made.model.adapted().items())


def test_statistics_of_old_classes_stay_as_they_were(tiny, benchmark):
    made = learn(strategy(tiny, benchmark), benchmark, [0])
    assert made.gaussians.classes == benchmark.train_stream[0].classes_in_this_experience
    means, spreads = copied(made.gaussians.means), copied(made.gaussians.spreads)
    learn(made, benchmark, [1, 2])
    assert len(made.gaussians) == 6
    assert all(torch.equal(a, b) for a, b in zip(means, made.gaussians.means[:2], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(spreads, made.gaussians.spreads[:2], strict=True))


def test_statistics_are_of_the_backbone_before_merging(tiny, benchmark, monkeypatch):
    made = learn(strategy(tiny, benchmark, merge_rule="ties"), benchmark, [0])
    seen = {}
    consolidate = type(made).consolidate

    def watched(self):
        seen["features"] = self.task_features(self.model.adaptation)
        consolidate(self)
        seen["merged"] = self.task_features(self.model.adaptation)

    monkeypatch.setattr(type(made), "consolidate", watched)
    learn(made, benchmark, [1])
    labels = benchmark.train_stream[1].dataset.ready_images.labels
    c = made.gaussians.classes[2]
    torch.testing.assert_close(made.gaussians.means[2], seen["features"][labels == c].mean(0))
    assert not torch.allclose(seen["merged"], seen["features"])


def test_merged_adaptation_is_the_rule_applied_to_both_task_vectors(tiny, benchmark, monkeypatch):
    made = learn(strategy(tiny, benchmark, align="none"), benchmark, [0])
    before, trained = made.model.adapted(), {}
    consolidate = type(made).consolidate

    def watched(self):
        trained.update(self.model.adapted())
        consolidate(self)

    monkeypatch.setattr(type(made), "consolidate", watched)
    learn(made, benchmark, [1])
    for name, value in made.model.adapted().items():
        start = made.initial[name]
        old, new = before[name] - start, trained[name] - start
        expected = start + torch.where(new.abs() >= old.abs(), new, old)
        torch.testing.assert_close(value, expected)


def test_old_heads_are_frozen_in_task_training_and_moved_by_the_alignment(tiny, benchmark):
    frozen = learn(strategy(tiny, benchmark, align="none"), benchmark, [0])
    old = frozen.model.heads.weights[0].detach().clone()
    learn(frozen, benchmark, [1])
    assert torch.equal(frozen.model.heads.weights[0], old)
    aligned = learn(strategy(tiny, benchmark), benchmark, [0])
    assert torch.equal(aligned.model.heads.weights[0], old)
    learn(aligned, benchmark, [1])
    assert not torch.equal(aligned.model.heads.weights[0], old)


def test_alignment_leaves_the_backbone_and_the_statistics_alone(tiny, benchmark):
    points = [
        learn(strategy(tiny, benchmark, align=align), benchmark, [0, 1]).model.adapted()
        for align in ("none", "ca", "lca")
    ]
    for name, value in points[0].items():
        assert torch.equal(value, points[1][name])
        assert torch.equal(value, points[2][name])


def test_base_weights_are_never_trained_nor_saved(tiny, benchmark):
    made = strategy(tiny, benchmark)
    base = {k: v.clone() for k, v in made.model.backbone.vit.state_dict().items() if "lora" not in k}
    learn(made, benchmark, [0, 1])
    after = made.model.backbone.vit.state_dict()
    assert all(torch.equal(after[k], v) for k, v in base.items())
    saved = made.model.state_dict()["tensors"]
    assert all("lora" in k or k.startswith("heads.") for k in saved)
    # two blocks, A (2, 16) and B (48, 2); heads of 2 x 16 for two tasks
    assert sum(p.numel() for p in made.model.parameters()) == 2 * (2 * 16 + 48 * 2) + 2 * 2 * 16


def test_cached_tokens_change_nothing(tiny, benchmark, monkeypatch):
    from recollect.pretrained import strategy as module

    cached = learn(strategy(tiny, benchmark, first_block=1), benchmark, [0])
    monkeypatch.setattr(module, "fits", lambda *a: False)
    direct = learn(strategy(tiny, benchmark, first_block=1), benchmark, [0])
    assert cached.tokens is None  # dropped after the task
    for name, value in cached.model.adapted().items():
        torch.testing.assert_close(value, direct.model.adapted()[name], rtol=1e-3, atol=1e-5)


def test_stored_model_answers_as_the_run_did(tiny, benchmark):
    made = learn(strategy(tiny, benchmark), benchmark, [0, 1, 2])
    again = strategy(tiny, benchmark)
    x = torch.rand(7, 1, 6, 6)
    again.load_stored_model(made.stored_model())
    assert torch.equal(again.scores(x), made.scores(x))


def test_bad_settings_are_refused(tiny, benchmark):
    with pytest.raises(RecollectError, match="alpha is 0"):
        strategy(tiny, benchmark, alpha=0.0)
    with pytest.raises(RecollectError, match="first_block is 2, the backbone has 2 blocks: choose 0 to 1"):
        strategy(tiny, benchmark, first_block=2)


def test_cosine_schedule_ends_at_its_minimum():
    from recollect.pretrained.strategy import SGDPhase

    phase = SGDPhase("train", 10, lr=0.01, lr_min=1e-6)
    assert [phase.lr_at(0.01, e) for e in (0, 5, 10)] == pytest.approx([0.01, (0.01 + 1e-6) / 2, 1e-6])
    steps = SGDPhase("train", 20, lr=0.01, schedule="steps", milestones=(18,))
    assert [steps.lr_at(0.01, e) for e in (17, 18)] == pytest.approx([0.01, 0.001])
