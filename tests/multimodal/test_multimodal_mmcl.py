"""MMCL as a strategy: teacher and student, frozen experts, growth, missing modalities, bad settings."""

from copy import deepcopy

import pytest
import torch

from recollect.engine.loading import load_build
from recollect.errors import RecollectError

SMALL = {"epochs": 1, "width": 16, "mm_rank": 4}


def build(paired, hyper=None, **train):
    torch.manual_seed(0)
    return load_build("mmcl")(setting=paired.setting(**{**SMALL, **train}), **(hyper or {}))


def run(paired, benchmark, tmp_path, hyper=None, **train):
    runner = paired.runner(tmp_path, "mmcl", benchmark, hyper=hyper, **{**SMALL, **train})
    return runner, runner.run()


@pytest.fixture(scope="module")
def benchmark(paired):
    return paired.benchmark(per_class=16)


def test_the_fresh_model_is_the_frozen_encoder(paired):
    """Zero-initialised up-projections: without adapters the same numbers come out."""
    strategy = build(paired)
    rows, _ = paired.rows(1, 4, seed=3)
    encoder = strategy.model.encoder
    samples = strategy.model.samples(rows)
    adapted, _ = encoder.pooled(samples)
    encoder.adapters = torch.nn.ModuleList()
    bare, _ = encoder.pooled(samples)
    for name in "ab":
        torch.testing.assert_close(adapted[name], bare[name], rtol=0, atol=0)


def test_towers_are_neither_trained_nor_saved_nor_copied(paired):
    strategy = build(paired)
    names = [name for name, _ in strategy.model.named_parameters()]
    assert not any("tower" in name or "blocks" in name for name in names)
    assert not any("blocks" in name for name in strategy.model.state_dict())
    twin = deepcopy(strategy.model)
    assert twin.encoder.towers["a"] is strategy.model.encoder.towers["a"]
    assert not any(p.requires_grad for p in strategy.model.encoder.towers["b"].network.parameters())


def test_a_teacher_that_is_the_student_adds_nothing(paired):
    strategy = build(paired, {"align": "none"})
    rows, labels = paired.rows(1, 8, seed=3)
    strategy.outputs.observe([0, 1])
    strategy.known = [0, 1]
    strategy._adopt_teacher(strategy.model.state_dict())
    strategy.is_training = True
    strategy.mbatch = [rows, torch.from_numpy(labels), torch.zeros(len(rows), dtype=torch.long)]
    strategy.mb_output = strategy.forward()
    plain = strategy.classification_loss(strategy.mb_output, strategy.mb_y, strategy.mb_tasks)
    assert strategy.training_loss().item() == pytest.approx(plain.item(), abs=1e-6)
    with torch.no_grad():
        strategy.teacher.head.bias[0] += 1.0
    assert strategy.training_loss() > plain + 1e-3


def test_a_missing_modality_changes_nothing_for_samples_that_have_all(paired):
    strategy = build(paired, mm_zero_init=False)
    rows, _ = paired.rows(1, 8, seed=3)
    lacking = rows.clone()
    samples = paired.layout().unpack(lacking)
    samples.present["b"][:4] = False
    lacking = paired.layout().pack(samples.tensors, samples.present)
    whole, part = strategy.model(rows), strategy.model(lacking)
    assert torch.equal(whole[4:], part[4:])
    assert not torch.equal(whole[:4], part[:4])
    assert torch.isfinite(part).all()


def test_frozen_experts_stay_bit_for_bit_and_fresh_ones_come(paired, benchmark, tmp_path):
    """ever_selected freezes all experts that were chosen, so that every task needs fresh ones."""
    after = []

    runner = paired.runner(tmp_path, "mmcl", benchmark, hyper={"freeze": "ever_selected"}, **SMALL)
    diagnose = runner._diagnose

    def watching(strategy, run, task):
        after.append(deepcopy(strategy.model.state_dict()))
        diagnose(strategy, run, task)

    runner._diagnose = watching
    record = runner.run()
    frozen = [{k for k, flag in state.items() if k.endswith("frozen") and flag} for state in after]
    assert frozen[0] < frozen[1] < frozen[2]
    assert len(frozen[0]) >= 4
    for task in (0, 1):
        for flag in frozen[task]:
            prefix = flag.removesuffix("frozen")
            kept = [k for k in after[task] if k.startswith(prefix)]
            assert len(kept) == 7  # two modalities down and up, row, bias, flag
            assert all(torch.equal(after[task][k], after[2][k]) for k in kept)
    moved = [k for k in after[0] if ".experts." not in k and not torch.equal(after[0][k], after[2][k])]
    assert any(k.startswith("encoder.projections") for k in moved)
    history = record["notes"]["experts"]
    assert sum(history[0]["fresh"]) == 0
    assert sum(sum(task["fresh"]) for task in history) > 0
    one = sum(p.numel() for p in runner.strategy.model.adapters()[0].each()[0].parameters())
    assert [task["parameters_added"] for task in history] == [one * sum(task["fresh"]) for task in history]
    assert all(sum(block) == pytest.approx(1.0) for task in history for block in task["usage"])
    assert [len(block) for block in history[-1]["usage"]] == [len(a) for a in runner.strategy.model.adapters()]


def test_without_freezing_nothing_is_frozen_and_nothing_grows(paired, benchmark, tmp_path):
    runner, record = run(paired, benchmark, tmp_path, {"freeze": "none"})
    assert not any(any(flags) for flags in runner.strategy.model.frozen())
    assert all(task["parameters_added"] == 0 for task in record["notes"]["experts"])


def test_the_record_says_what_was_measured(paired, benchmark, tmp_path):
    _, record = run(paired, benchmark, tmp_path)
    assert record["notes"]["is"] == "reconstruction of the published description"
    assert [set(d) >= {"silhouette"} for d in record["diagnoses"]] == [True] * 3
    assert "routing_agreement" not in record["diagnoses"][0]
    assert all(len(d["routing_agreement"]) == 2 for d in record["diagnoses"][1:])
    assert all(0 <= share <= 1 for d in record["diagnoses"][1:] for share in d["routing_agreement"])
    assert set(record["diagnoses"][-1]["points"]) == {"a", "b", "joint"}


def test_a_modality_absent_from_a_whole_task_is_told_and_trains(paired, tmp_path):
    benchmark = paired.benchmark(per_class=12, missing=1.0)
    _, record = run(paired, benchmark, tmp_path, {"memory_size": 12})
    assert record["status"] == "ok"
    assert [task["absent"] for task in record["notes"]["experts"]] == [["b"]] * 3


@pytest.mark.parametrize(
    "hyper", [{"align": "standard"}, {"align": "none"}, {"preserve_weight": 0.0}, {"distill_weight": 0.0}]
)
def test_ablations_train(paired, benchmark, tmp_path, hyper):
    runner, record = run(paired, benchmark, tmp_path, hyper, mm_compute="routed")
    assert record["status"] == "ok"
    assert bool(runner.strategy.model.maps) == (hyper.get("align", "joint") == "joint")


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"mm_top_k": 5}, "top_k is 5 and there are 4 experts"),
        ({"mm_towers": ["a=mm_random_shallow"]}, "name one for every modality"),
        ({"mm_towers": ["a=mm_random_shallow", "b"]}, "write modality=transformer"),
        ({"mm_towers": ["a=mm_random_deep", "b=mm_random_deep"]}, "takes samples of shape"),
        ({"mm_towers": ["a=vit_tiny", "b=mm_random_deep"]}, "is no tower of an encoder"),
        ({"model": "mlp"}, "mmcl needs model: mm_encoder"),
    ],
)
def test_settings_that_cannot_work_are_refused(paired, train, said):
    with pytest.raises(RecollectError, match=said):
        build(paired, **train)
