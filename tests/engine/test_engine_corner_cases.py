"""Rare inputs that must not end in a trace or a silent mistake."""

import numpy as np
import pytest
import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import as_classification_dataset
from torch.utils.data import TensorDataset

from baselines.ewc import fisher_diagonal
from recollect.engine.outputs import OutputMask
from recollect.engine.record import PREDICTIONS
from recollect.engine.state import load_state


def plain_benchmark(n_tasks=2):
    """Tasks of two classes without anything of ours."""

    def task(offset):
        labels = torch.arange(12) % 2 + offset
        data = TensorDataset(torch.rand(12, 1, 6, 6), labels)
        data.targets = labels.tolist()
        return as_classification_dataset(data)

    return benchmark_from_datasets(train=[task(2 * t) for t in range(n_tasks)])


@pytest.mark.parametrize("method", ["naive", "ewc", "lwf", "er", "derpp", "cope", "generative_replay"])
def test_every_method_trains_on_a_plain_avalanche_benchmark(tiny, method):
    strategy = tiny.strategy(method, None, {"lam": 1.0} if method == "ewc" else {})
    start = [p.detach().clone() for p in strategy.model.parameters()]
    benchmark = plain_benchmark()
    for experience in benchmark.train_stream:
        strategy.train(experience, eval_streams=[])
    strategy.eval(benchmark.train_stream)
    assert strategy.outputs.seen == [0, 1, 2, 3]
    assert not torch.equal(start[0], next(strategy.model.parameters()))


def test_ewc_on_a_plain_benchmark_estimates_the_same_fisher(tiny):
    """Samples read one by one or gathered in batches: the same images give the same diagonal."""
    ours = tiny.benchmark()
    images = ours.train_stream[0].dataset.ready_images
    data = TensorDataset(images.gather(torch.arange(len(images))), images.labels)
    data.targets = images.labels.tolist()
    plain = benchmark_from_datasets(train=[as_classification_dataset(data)])
    diagonals = []
    for benchmark in (ours, plain):
        strategy = tiny.strategy("ewc", ours, {"lam": 1.0})
        strategy.experience = benchmark.train_stream[0]
        strategy.outputs.observe([0, 1])
        strategy.plugins[0].after_training_exp(strategy)
        diagonals.append(strategy.plugins[0].precision)
    assert tiny.difference(*diagonals) == ""


def test_a_task_without_validation_images_is_evaluated_on_none(tiny, tmp_path):
    """Classes of one or two images hold none out; the other tasks' rows still come out right."""
    benchmark = tiny.benchmark(
        protocol="dirichlet", n_tasks=3, alpha=0.05, variant="plain", validation=0.1, per_class=4
    )
    sizes = [len(e.dataset) for e in benchmark.streams["validation"]]
    assert 0 in sizes
    record = tiny.runner(tmp_path, "naive", benchmark, streams=("test", "validation")).run()
    assert record["status"] == "ok"
    with np.load(tmp_path / PREDICTIONS) as rows:
        assert rows["validation"].shape == (4, sum(sizes))


def test_a_class_without_a_prototype_is_never_copes_answer(tiny):
    """Its zero vector has cosine 0, more than a known prototype on the other side of the sphere."""
    strategy = tiny.strategy("cope", tiny.benchmark(protocol="data-incremental"), {"features": 4})
    strategy.prototypes[2] = torch.tensor([1.0, 0, 0, 0])
    strategy.known[2] = True
    strategy.model = lambda x: torch.tensor([[-1.0, 0.1, 0, 0]]).expand(len(x), -1)
    assert strategy.outputs.apply(strategy.scores(torch.zeros(2, 1, 6, 6))).argmax(1).tolist() == [2, 2]


def test_estimating_the_fisher_leaves_every_modules_mode_alone(tiny):
    benchmark = tiny.benchmark()
    strategy = tiny.strategy("naive", benchmark)
    strategy.outputs.observe([0, 1])
    strategy.model.train()
    strategy.model.features.eval()
    modes = [module.training for module in strategy.model.modules()]
    fisher_diagonal(strategy, benchmark.train_stream[0].dataset.ready_images, "exact", 0)
    assert [module.training for module in strategy.model.modules()] == modes


def test_a_used_mask_takes_over_a_fresh_one():
    mask = OutputMask(3, "seen")
    fresh = mask.state_dict()
    mask.observe([0, 1])
    mask.load_state_dict(fresh)
    assert torch.isinf(mask.apply(torch.zeros(1, 3))).all()
    assert mask.allowed(0) == []


def test_loading_a_mask_leaves_the_given_state_alone():
    """A resumed run loads it twice: when it starts, and when the interrupted task begins."""
    mask, other = OutputMask(4, "task"), OutputMask(4, "task")
    mask.observe([0, 1], 0)
    mask.observe([2, 3], 1)
    state = mask.state_dict()
    for _ in range(2):
        other.load_state_dict(state)
        assert [other.allowed(task) for task in (0, 1)] == [[0, 1], [2, 3]]


def test_a_state_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "state").mkdir()
    state, problem = load_state(tmp_path / "state", "stamp")
    assert state is None
    assert str(tmp_path / "state") in problem
    assert "starts from its beginning" in problem


@pytest.mark.parametrize("method", ["naive", "ewc", "lwf", "derpp", "generative_replay", "cope"])
def test_batches_of_one_image_train(tiny, tmp_path, method):
    hyper = {"lam": 1.0} if method == "ewc" else {}
    record = tiny.runner(tmp_path, method, tiny.benchmark(), hyper=hyper, batch_size=1, epochs=1).run()
    assert record["status"] == "ok"


@pytest.mark.parametrize("method", ["joint", "cumulative", "derpp", "generative_replay", "cope"])
def test_dirichlet_tasks_that_share_classes_train(tiny, tmp_path, method):
    benchmark = tiny.benchmark(protocol="dirichlet", n_tasks=3, alpha=1.0, variant="plain", per_class=20)
    assert tiny.runner(tmp_path, method, benchmark, epochs=1).run()["status"] == "ok"
