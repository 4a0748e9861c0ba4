"""Generators judged: hand-made samplers whose distances are known, what is drawn, what is averaged."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from recollect.generation import evaluation
from recollect.generation.evaluation import Judgement, draw, stream_seed, summarise
from recollect.generation.measures import MEASURES
from recollect.metrics.accuracy import MetricError

DIM = 3
CENTRES = torch.tensor([[0.0, 0.0, 0.0], [6.0, 0.0, 0.0], [0.0, 6.0, 0.0]])
"""Task j is a standard normal distribution about its centre; images are (DIM, 1, 1)."""


def normal(n, task, generator):
    return (CENTRES[task] + torch.randn(n, DIM, generator=generator)).view(n, DIM, 1, 1)


def reference(n=200):
    return [normal(n, task, torch.Generator().manual_seed(100 + task)).flatten(1).numpy() for task in range(3)]


def extract(images):
    return images.flatten(1).numpy()


def judge(models, tasks, seed=0, measures=MEASURES["features"]):
    return evaluation.judge(models, tasks, extract, seed, measures)


def judge_fid(models, tasks, seed=0):
    """FID alone: the other metrics take most of the time."""
    return judge(models, tasks, seed, dataclasses.replace(MEASURES["features"], finally_too=lambda *_: {}))


def shifted(by):
    """A sampler of the right tasks, moved along the last axis."""
    return lambda n, task, generator: normal(n, task, generator) + torch.tensor([0.0, 0.0, by]).view(DIM, 1, 1)


def swapped(n, task, generator):
    return normal(n, (task + 1) % 3, generator)


def test_a_perfect_sampler():
    found = judge([normal] * 3, reference(), seed=0)
    assert np.isnan(found.matrices["fid"][np.triu_indices(3, 1)]).all(), "tasks to come are not sampled"
    assert found.matrices["fid"][np.tril_indices(3)].max() < 0.2
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
    found = judge([swapped] * 3, reference(), seed=0)
    assert found.matrices["fid"][2] == pytest.approx([36, 72, 36], rel=0.05)
    for name in ("precision", "recall", "knn_precision", "knn_recall"):
        assert max(found.final[name]) < 0.3
    assert min(found.final["kid"]) > 1000


def test_a_collapsed_sampler_has_precision_without_recall():
    def collapsed(n, task, generator):
        return CENTRES[task].view(1, DIM, 1, 1) + 0.05 * torch.randn(n, DIM, 1, 1, generator=generator)

    final = judge([collapsed] * 3, reference(), seed=0).final
    assert min(final["knn_precision"]) > 0.9
    assert max(final["knn_recall"]) < 0.1
    assert all(p > r + 0.3 for p, r in zip(final["precision"], final["recall"], strict=True))


@pytest.mark.parametrize("sign", [1, -1])
def test_change_is_above_zero_for_what_gets_worse(sign):
    """Moved by 2, a task is at distance 4: at last (forgotten), or until the last task (improved)."""
    good, bad = normal, shifted(2.0)
    models = [good, good, bad] if sign > 0 else [bad, bad, good]
    found = judge_fid(models, reference(3000), seed=0)
    values = summarise(found, "x")
    assert values["fid_change@x"] == pytest.approx(sign * 4, rel=0.15)
    assert values["fid@x"] == pytest.approx(4 if sign > 0 else 0, abs=0.4)
    just = [4 if model is bad else 0 for model in models]
    assert values["fid_just_learned@x"] == pytest.approx(np.mean(just), abs=0.4)


def test_means_by_hand():
    """Last row 3, 5, 10; diagonal 1, 6, 10: means 6 and 17 / 3, change ((3 - 1) + (5 - 6)) / 2."""
    nan = math.nan
    fid = np.array([[1.0, nan, nan], [2.0, 6.0, nan], [3.0, 5.0, 10.0]])
    found = Judgement({"fid": fid, "w": -fid}, {"precision": [0.1, 0.2, 0.6]}, [9, 9, 9])
    wanted = {"fid@e": 6.0, "fid_just_learned@e": 17 / 3, "fid_change@e": 0.5, "precision@e": 0.3}
    wanted |= {"w@e": -6.0, "w_just_learned@e": -17 / 3, "w_change@e": -0.5}
    assert summarise(found, "e") == pytest.approx(wanted)


def test_a_single_task_has_no_change():
    found = judge_fid([normal], reference()[:1], seed=0)
    assert {name for name in summarise(found, "e") if "fid" in name} == {"fid@e"}


def test_one_model_of_joint_training_is_judged_on_all_tasks():
    found = judge([None, None, normal], reference(), seed=0)
    assert np.isnan(found.matrices["fid"][:2]).all()
    assert found.matrices["fid"][2].max() < 0.2
    names = set(summarise(found, "e"))
    assert names == {f"{n}@e" for n in ("fid", "precision", "recall", "knn_precision", "knn_recall", "kid")}


def test_the_last_model_alone_gives_the_same_last_row():
    everything, alone = (judge(models, reference()) for models in ([normal] * 3, [None, None, normal]))
    assert np.array_equal(everything.matrices["fid"][2], alone.matrices["fid"][2])
    assert everything.final == alone.final


@pytest.mark.parametrize(("n", "short"), [(DIM + 1, False), (DIM, True)])
def test_fewer_samples_than_dimensions_are_noticed(n, short):
    tasks = [reference()[0], reference(n)[1], reference()[2]]
    found = judge_fid([normal] * 3, tasks, seed=0)
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
    full = judge([normal] * 3, reference(), seed=5)
    torch.manual_seed(1)
    tasks = reference()
    tasks[0] = tasks[0][:90]
    other = judge([None, normal, normal], tasks, seed=5)
    assert np.array_equal(other.matrices["fid"][1:, 1], full.matrices["fid"][1:, 1])
    assert [other.final[name][2] for name in other.final] == [full.final[name][2] for name in full.final]


def test_another_seed_draws_other_samples():
    rows = [judge_fid([None, None, normal], reference(), seed=seed).matrices["fid"][2] for seed in (5, 6)]
    assert (rows[0] != rows[1]).all()


def test_as_many_samples_as_evaluation_images():
    asked = []

    def counting(n, task, generator):
        asked.append((n, task))
        return normal(n, task, generator)

    judge_fid([None, counting], [reference()[0][:40], reference()[1][:70]], seed=0)
    assert asked == [(40, 0), (70, 1)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_samples_that_are_not_finite_are_told(value):
    def broken(n, task, generator):
        return torch.full((n, 1, 2, 2), value if task else 0.0)

    with pytest.raises(MetricError, match="5 of 5 samples of task 1 after task 2 hold values that are not finite"):
        draw(broken, 5, 1, seed=0, after=2)


def test_stream_seeds_are_fixed_numbers():
    """They are part of every published number."""
    assert stream_seed("samples", 0, 1, 2) == stream_seed("samples", "0", "1", "2")
    assert stream_seed("samples", 0, 1, 2) == 0x6A633C61
    assert len({stream_seed("samples", s, a, t) for s in range(5) for a in range(12) for t in range(12)}) == 720
