"""Joint and cumulative training, and what every method promises to carry from task to task."""

import numpy as np
import pytest
import torch

from recollect.engine.record import PREDICTIONS
from recollect.engine.strategy import Strategy


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def trained_on(tiny, benchmark, method, **train):
    """For every call of ``train`` the labels of each step, with a strategy driven by its own curriculum."""
    strategy = tiny.strategy(method, benchmark, **train)
    seen = []
    original = strategy.optimizer_step
    strategy.optimizer_step = lambda: (seen[-1][1].append(strategy.mb_y.clone()), original())
    for task, experience in strategy.curriculum(benchmark.train_stream):
        seen.append((task, []))
        strategy.train(experience, eval_streams=[])
    return [(task, torch.cat(labels)) for task, labels in seen]


def counts(labels):
    return torch.bincount(labels, minlength=6).tolist()


def test_naive_sees_one_task_after_another(tiny, benchmark):
    seen = trained_on(tiny, benchmark, "naive")
    assert [(task, counts(y)) for task, y in seen] == [
        (0, [18, 18, 0, 0, 0, 0]), (1, [0, 0, 18, 18, 0, 0]), (2, [0, 0, 0, 0, 18, 18])
    ]  # fmt: skip


def test_joint_trains_once_on_everything(tiny, benchmark):
    seen = trained_on(tiny, benchmark, "joint")
    assert [(task, counts(y)) for task, y in seen] == [(2, [18] * 6)]


def test_cumulative_trains_on_everything_so_far(tiny, benchmark):
    seen = trained_on(tiny, benchmark, "cumulative")
    assert [(task, counts(y)) for task, y in seen] == [
        (0, [18] * 2 + [0] * 4), (1, [18] * 4 + [0] * 2), (2, [18] * 6)
    ]  # fmt: skip


def test_iterations_are_updates_per_task_and_joint_makes_those_of_all(tiny, benchmark):
    def steps(method):
        strategy = tiny.strategy(method, benchmark, iterations=7)
        made = []
        for _, experience in strategy.curriculum(benchmark.train_stream):
            strategy.train(experience, eval_streams=[])
            made.append(strategy.clock.train_exp_iterations)
        return made

    assert steps("naive") == steps("cumulative") == [7, 7, 7]
    assert steps("joint") == [21]


def test_joint_mixes_the_tasks(tiny, benchmark):
    """The batches mix the classes; they do not come one task after another."""
    _, labels = trained_on(tiny, benchmark, "joint", epochs=1)[0]
    changes = int((labels[1:] != labels[:-1]).sum())
    assert changes > 36, "of 53 neighbours five sixths differ; task after task about half would"


def test_joint_has_only_a_last_row(tiny, benchmark, tmp_path):
    run = tiny.runner(tmp_path, "joint", benchmark)
    record = run.run()
    with np.load(tmp_path / PREDICTIONS) as rows:
        found = rows["test"]
    assert (found[0] == -1).all()
    assert (found[1:3] == -2).all()
    assert (found[3] >= 0).all()
    assert record["iterations"] == 2 * 11
    assert len(record["carried_bytes"]) == 1


def test_a_union_keeps_images_labels_and_tasks_together(benchmark):
    from recollect.engine.union import union

    merged = union(list(benchmark.train_stream)[:2])
    images = merged.dataset.ready_images
    parts = [e.dataset.ready_images for e in benchmark.train_stream[:2]]
    assert merged.classes_in_this_experience == [0, 1, 2, 3]
    assert torch.equal(images.labels, torch.cat([p.labels for p in parts]))
    assert images.task_labels.tolist() == [0] * 18 + [1] * 18
    everything = torch.cat([p.gather(torch.arange(len(p))) for p in parts])
    assert torch.equal(images.gather(torch.arange(36)), everything)
    assert torch.equal(images.gather(torch.arange(35, -1, -1)), everything.flip(0))


PARAMETERS = 36 * 8 + 8 + 8 * 6 + 6
"""Of the tiny MLP: one hidden layer of 8."""
VAE = (36 * 6 + 6) + (6 * 6 + 6) + (6 * 4 + 4) + (2 * 6 + 6) + (6 * 6 + 6) + (6 * 36 + 36)
ONE = 36 + 8 + 8  # uint8 image, label, task
CARRIED = {
    "naive": ({}, [0, 0, 0]),
    "cumulative": ({}, [0, 0, 0]),
    "ewc": ({"lam": 1.0}, [2 * 4 * PARAMETERS] * 3),
    "lwf": ({}, [4 * PARAMETERS] * 3),
    "er": ({"buffer_size": 7}, [7 * ONE] * 3),
    "derpp": ({"buffer_size": 7}, [7 * (ONE + 4 * 6)] * 3),
    "generative_replay": ({"vae_latent": 2, "vae_width": 6}, [4 * (2 * VAE + PARAMETERS)] * 3),
}


@pytest.mark.parametrize("method", CARRIED)
def test_carried_bytes_are_what_the_method_promises(tiny, benchmark, tmp_path, method):
    hyper, expected = CARRIED[method]
    record = tiny.runner(tmp_path, method, benchmark, hyper=hyper).run()
    assert record["carried_bytes"] == expected
    assert record["parameters"] == PARAMETERS


def test_cope_carries_prototypes_and_a_memory_per_class(tiny, benchmark, tmp_path):
    record = tiny.runner(tmp_path, "cope", benchmark, hyper={"features": 4, "per_class": 3}).run()
    assert record["carried_bytes"] == [6 * (4 * 4 + 1) + 6 * 3 * ONE] * 3


@pytest.mark.parametrize("mode", ["separate", "online"])
def test_what_ewc_carries_does_not_grow_from_2_to_6_tasks(tiny, tmp_path, mode):
    benchmark = tiny.benchmark(n_classes=12, n_tasks=6)
    carried = tiny.runner(tmp_path, "ewc", benchmark, hyper={"lam": 1.0, "mode": mode}).run()["carried_bytes"]
    assert carried == [2 * 4 * (36 * 8 + 8 + 8 * 12 + 12)] * 6


def test_the_optimizer_is_not_counted_as_carried(tiny, benchmark, tmp_path):
    assert tiny.runner(tmp_path, "naive", benchmark, optimizer="adam").run()["carried_bytes"] == [0, 0, 0]


@pytest.mark.parametrize("method", ["joint", "cumulative", "naive"])
def test_task_incremental_answers_among_the_tasks_own_classes(tiny, tmp_path, method):
    """Also after training on a union: every test sample is answered with a class of its own task."""
    benchmark = tiny.benchmark(protocol="task-incremental")
    run = tiny.runner(tmp_path, method, benchmark)
    record = run.run()
    assert record["status"] == "ok", record["reason"]
    assert [run.outputs.allowed(task) for task in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with np.load(tmp_path / PREDICTIONS) as rows:
        last = rows["test"][-1]
    task_of = np.concatenate([[t] * len(e.dataset) for t, e in enumerate(benchmark.test_stream)])
    assert (last // 2 == task_of).all()


@pytest.mark.parametrize("protocol", ["permuted-pixels", "rotated", "data-incremental"])
@pytest.mark.parametrize("method", ["naive", "joint", "cumulative", "generative_replay", "cope"])
def test_other_protocols_run_to_their_end(tiny, tmp_path, protocol, method):
    benchmark = tiny.benchmark(protocol=protocol)
    record = tiny.runner(tmp_path, method, benchmark, epochs=1).run()
    assert record["status"] == "ok"
    assert isinstance(tiny.strategy(method, benchmark), Strategy)
