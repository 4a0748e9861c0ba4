"""Generators judged: hand-made samplers whose distances are known, what is drawn, what is averaged."""

import math

import numpy as np
import pytest
import torch

from recollect.generation.evaluation import Judgement, draw, judge, stream_seed, summarise

DIM = 3
CENTRES = torch.tensor([[0.0, 0.0, 0.0], [6.0, 0.0, 0.0], [0.0, 6.0, 0.0]])
"""Task j is a standard normal distribution about its centre; images are (DIM, 1, 1)."""


def normal(n, task, generator):
    return (CENTRES[task] + torch.randn(n, DIM, generator=generator)).view(n, DIM, 1, 1)


def reference(n=200):
    return [normal(n, task, torch.Generator().manual_seed(100 + task)).flatten(1).numpy() for task in range(3)]


def extract(images):
    return images.flatten(1).numpy()


def shifted(by):
    """A sampler of the right tasks, moved along the last axis."""
    return lambda n, task, generator: normal(n, task, generator) + torch.tensor([0.0, 0.0, by]).view(DIM, 1, 1)


def swapped(n, task, generator):
    return normal(n, (task + 1) % 3, generator)


def test_a_perfect_sampler():
    found = judge([normal] * 3, reference(), extract, seed=0)
    assert np.isnan(found.fid[np.triu_indices(3, 1)]).all(), "tasks to come are not sampled"
    assert found.fid[np.tril_indices(3)].max() < 0.2
    assert found.n_generated == [200, 200, 200]
    assert not found.is_rank_deficient
    for name in ("precision", "recall"):
        assert min(found.final[name]) > 0.9
    for name in ("knn_precision", "knn_recall"):
        assert min(found.final[name]) > 0.7
    assert max(abs(value) for value in found.final["kid"]) < 50
    assert {len(values) for values in found.final.values()} == {3}


def test_swapped_tasks():
    """Squared distances of the centres: 36 from 0 to 1, 72 from 1 to 2, 36 from 2 to 0."""
    found = judge([swapped] * 3, reference(), extract, seed=0)
    assert found.fid[2] == pytest.approx([36, 72, 36], rel=0.05)
    for name in ("precision", "recall", "knn_precision", "knn_recall"):
        assert max(found.final[name]) < 0.3
    assert min(found.final["kid"]) > 1000


def test_a_collapsed_sampler_has_precision_without_recall():
    def collapsed(n, task, generator):
        return CENTRES[task].view(1, DIM, 1, 1) + 0.05 * torch.randn(n, DIM, 1, 1, generator=generator)

    final = judge([collapsed] * 3, reference(), extract, seed=0).final
    assert min(final["knn_precision"]) > 0.9
    assert max(final["knn_recall"]) < 0.1
    assert all(p > r + 0.3 for p, r in zip(final["precision"], final["recall"], strict=True))


@pytest.fixture
def only_fid(monkeypatch):
    """The other metrics take most of the time."""
    monkeypatch.setattr("recollect.generation.evaluation.final_metrics", lambda made, real, seed: {})


@pytest.mark.usefixtures("only_fid")
@pytest.mark.parametrize("sign", [1, -1])
def test_change_is_above_zero_for_what_gets_worse(sign):
    """Moved by 2, a task is at distance 4: at last (forgotten), or until the last task (improved)."""
    good, bad = normal, shifted(2.0)
    models = [good, good, bad] if sign > 0 else [bad, bad, good]
    found = judge(models, reference(3000), extract, seed=0)
    values = summarise(found, "x")
    assert values["fid_change@x"] == pytest.approx(sign * 4, rel=0.15)
    assert values["fid@x"] == pytest.approx(4 if sign > 0 else 0, abs=0.4)
    just = [4 if model is bad else 0 for model in models]
    assert values["fid_just_learned@x"] == pytest.approx(np.mean(just), abs=0.4)


def test_means_by_hand():
    """Last row 3, 5, 10; diagonal 1, 6, 10: means 6 and 17 / 3, change ((3 - 1) + (5 - 6)) / 2."""
    nan = math.nan
    fid = np.array([[1.0, nan, nan], [2.0, 6.0, nan], [3.0, 5.0, 10.0]])
    found = Judgement(fid, {"precision": [0.1, 0.2, 0.6]}, [9, 9, 9], False)
    assert summarise(found, "e") == pytest.approx(
        {"fid@e": 6.0, "fid_just_learned@e": 17 / 3, "fid_change@e": 0.5, "precision@e": 0.3}
    )


@pytest.mark.usefixtures("only_fid")
def test_a_single_task_has_no_change():
    found = judge([normal], reference()[:1], extract, seed=0)
    assert {name for name in summarise(found, "e") if "fid" in name} == {"fid@e"}


def test_one_model_of_joint_training_is_judged_on_all_tasks():
    found = judge([None, None, normal], reference(), extract, seed=0)
    assert np.isnan(found.fid[:2]).all()
    assert found.fid[2].max() < 0.2
    names = set(summarise(found, "e"))
    assert names == {f"{n}@e" for n in ("fid", "precision", "recall", "knn_precision", "knn_recall", "kid")}


def test_the_last_model_alone_gives_the_same_last_row():
    everything, alone = (judge(models, reference(), extract, 0) for models in ([normal] * 3, [None, None, normal]))
    assert np.array_equal(everything.fid[2], alone.fid[2])
    assert everything.final == alone.final


@pytest.mark.usefixtures("only_fid")
@pytest.mark.parametrize(("n", "short"), [(DIM + 1, False), (DIM, True)])
def test_fewer_samples_than_dimensions_are_noticed(n, short):
    tasks = [reference()[0], reference(n)[1], reference()[2]]
    found = judge([normal] * 3, tasks, extract, seed=0)
    assert found.is_rank_deficient is short
    assert found.n_generated == [200, n, 200]


# Draws ---------------------------------------------------------------------------------------------


def noise(n, task, generator):
    return torch.rand(n, 4, generator=generator)


def test_draws_follow_from_seed_model_and_task_only():
    first = draw(noise, 5, 1, seed=3, after=2)
    torch.manual_seed(99)
    draw(noise, 5, 0, seed=3, after=2)
    assert torch.equal(draw(noise, 5, 1, seed=3, after=2), first)
    others = [draw(noise, 5, *what[:1], *what[1:]) for what in ((1, 3, 1), (1, 2, 2), (2, 3, 2), (2, 3, 1))]
    assert not any(torch.equal(other, first) for other in others)


def test_what_is_judged_besides_changes_no_number():
    """Other tasks' sizes, other models and global random states."""
    full = judge([normal] * 3, reference(), extract, seed=5)
    torch.manual_seed(1)
    tasks = reference()
    tasks[0] = tasks[0][:90]
    other = judge([None, normal, normal], tasks, extract, seed=5)
    assert np.array_equal(other.fid[1:, 1], full.fid[1:, 1])
    assert [other.final[name][2] for name in other.final] == [full.final[name][2] for name in full.final]


@pytest.mark.usefixtures("only_fid")
def test_another_seed_draws_other_samples():
    rows = [judge([None, None, normal], reference(), extract, seed=seed).fid[2] for seed in (5, 6)]
    assert (rows[0] != rows[1]).all()


@pytest.mark.usefixtures("only_fid")
def test_as_many_samples_as_evaluation_images():
    asked = []

    def counting(n, task, generator):
        asked.append((n, task))
        return normal(n, task, generator)

    judge([None, counting], [reference()[0][:40], reference()[1][:70]], extract, seed=0)
    assert asked == [(40, 0), (70, 1)]


def test_stream_seeds_are_fixed_numbers():
    """They are part of every published number."""
    assert stream_seed("samples", 0, 1, 2) == stream_seed("samples", "0", "1", "2")
    assert stream_seed("samples", 0, 1, 2) == 0x6A633C61
    assert len({stream_seed("samples", s, a, t) for s in range(5) for a in range(12) for t in range(12)}) == 720
