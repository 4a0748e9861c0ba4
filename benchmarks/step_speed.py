"""Seconds per training iteration: our strategies, hand-written loops, stock Avalanche; one thread, one run.

Second task of Split MNIST, MLP of 2x400, batch 32, SGD. The three contestants take turns, and the ratios are
medians over the rounds, because machines are noisy. Without MNIST, random images of its shape are used for the
first two and the stock rows are left out.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.loops import BATCH, LOOPS, Task
from recollect.engine.benchmark import as_avalanche
from recollect.engine.images import Part, TaskImages
from recollect.engine.loading import load_build
from recollect.engine.outputs import OutputMask
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.engine.settings import Setting, TrainSettings
from recollect.models.classifiers import MLP

HYPER: dict[str, dict[str, Any]] = {
    "naive": {},
    "lwf": {},
    "derpp": {"replay_batch_size": BATCH},
    "ewc": {"lam": 10.0},
}
ROUNDS = 7
LR = 0.03


def images_and_labels(data_dir: Path | None) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """MNIST's training data, or random images with its shape."""
    if data_dir is not None and (data_dir / "mnist").is_dir():
        from recollect.datasets import open_prepared, prepare

        with tempfile.TemporaryDirectory() as folder:
            prepare("mnist", data_dir, Path(folder), progress=False)
            data = open_prepared(Path(folder))
            return torch.from_numpy(np.array(data.train_x)), torch.from_numpy(np.array(data.train_y)), True
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (60_000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return x, torch.randint(0, 10, (60_000,), generator=generator), False


def experience(x: torch.Tensor, y: torch.Tensor, classes: list[int], task: int) -> Any:
    """One training experience of the images of some classes."""
    from avalanche.benchmarks import benchmark_from_datasets

    rows = np.flatnonzero(np.isin(y.numpy(), classes))
    images = TaskImages([Part(x, rows, y[rows], task)], torch.device("cpu"))
    one = benchmark_from_datasets(train=[as_avalanche(images)]).train_stream[0]
    one.classes_in_this_experience, one.task_number = classes, task
    return one


def fresh_strategy(name: str) -> Any:
    """Our strategy with the settings of the comparison."""
    torch.manual_seed(0)
    train = TrainSettings(batch_size=BATCH, lr=LR)
    setting = Setting(train, (1, 28, 28), 10, 5, OutputMask(10, "seen"), torch.device("cpu"), 0)
    return load_build(name)(setting=setting, **HYPER[name])


def prepared_strategy(name: str, x: torch.Tensor, y: torch.Tensor) -> Any:
    """Our strategy after a short first task, so that its memory, teacher or Fisher exists."""
    strategy = fresh_strategy(name)
    strategy.train(experience(x[:6000], y[:6000], [0, 1], 0), eval_streams=[])
    return strategy


def time_ours(strategy: Any, experience: Any) -> float:
    """Seconds per iteration of the training epochs alone (consolidation after the task is not a step)."""
    spent: list[float] = []
    original = type(strategy).training_epoch

    def timed(self: Any, **kwargs: Any) -> None:
        start = time.perf_counter()
        original(self, **kwargs)
        spent.append(time.perf_counter() - start)

    strategy.training_epoch = timed.__get__(strategy)
    strategy.train(experience, eval_streams=[])
    return sum(spent) / (-(-len(experience.dataset) // BATCH))


def time_loop(name: str, task: Task) -> float:
    """Seconds per iteration of the hand-written loop."""
    torch.manual_seed(0)
    model = MLP(input_shape=(1, 28, 28), n_outputs=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, fused=True)
    start = time.perf_counter()
    steps = LOOPS[name](model, optimizer, task)
    return (time.perf_counter() - start) / steps


def against_loops(x: torch.Tensor, y: torch.Tensor) -> dict[str, tuple[float, float, float]]:
    """Method -> (our ms, hand-written ms, median ratio of the rounds)."""
    second = experience(x, y, [2, 3], 1)
    rows = np.flatnonzero(np.isin(y.numpy(), [2, 3]))
    task = Task(x[rows].clone(), y[rows], 4)
    found = {}
    for name in LOOPS:
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(time_ours(prepared_strategy(name, x, y), second))
            theirs.append(time_loop(name, task))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        found[name] = (1e3 * statistics.median(ours), 1e3 * statistics.median(theirs), ratio)
    return found


def stock_strategies() -> dict[str, Callable[..., Any]]:
    """Avalanche's strategies with the settings of ours."""
    from avalanche.training.supervised import DER, EWC, LwF, Naive

    criterion = torch.nn.CrossEntropyLoss()
    return {
        "naive": lambda **a: Naive(criterion=criterion, **a),
        "lwf": lambda **a: LwF(criterion=criterion, alpha=1.0, temperature=2.0, **a),
        "derpp": lambda **a: DER(
            criterion=criterion, mem_size=200, batch_size_mem=BATCH, alpha=0.2, beta=0.5, **a
        ),
        "ewc": lambda **a: EWC(criterion=criterion, ewc_lambda=10.0, **a),
    }


def stock_benchmark(data_dir: Path, folder: Path) -> Any:
    """Avalanche's own SplitMNIST on the same files."""
    from avalanche.benchmarks.classic import SplitMNIST

    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    import gzip

    for path in (data_dir / "mnist").glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return SplitMNIST(
        n_experiences=5, return_task_id=False, fixed_class_order=list(range(10)), dataset_root=folder
    )


def run_stock(name: str, benchmark: Any) -> tuple[float, float]:
    """(seconds per iteration over all five tasks, final mean accuracy)."""
    from avalanche.training.plugins import EvaluationPlugin

    torch.manual_seed(0)
    model = MLP(input_shape=(1, 28, 28), n_outputs=10)
    strategy = stock_strategies()[name](
        model=model, optimizer=torch.optim.SGD(model.parameters(), lr=LR), train_mb_size=BATCH, train_epochs=1,
        eval_mb_size=1000, evaluator=EvaluationPlugin(),
    )  # fmt: skip
    return _train_all(strategy, benchmark), _accuracy(strategy.model, benchmark)


def _train_all(strategy: Any, benchmark: Any) -> float:
    start, steps = time.perf_counter(), 0
    with contextlib.redirect_stdout(io.StringIO()):
        for experience in benchmark.train_stream:
            strategy.train(experience, eval_streams=[])
            steps += -(-len(experience.dataset) // BATCH)
    return (time.perf_counter() - start) / steps


@torch.no_grad()
def _accuracy(model: torch.nn.Module, benchmark: Any) -> float:
    model.eval()
    accuracies = []
    for experience in benchmark.test_stream:
        loader = torch.utils.data.DataLoader(experience.dataset, batch_size=1000)
        right = sum(int((model(batch[0]).argmax(1) == batch[1]).sum()) for batch in loader)
        accuracies.append(right / len(experience.dataset))
    return statistics.mean(accuracies)


def run_ours(name: str, x: torch.Tensor, y: torch.Tensor, test: Any) -> tuple[float, float]:
    """(seconds per iteration over all five tasks, consolidation included; final mean accuracy)."""
    strategy = fresh_strategy(name)
    experiences = [experience(x, y, [2 * t, 2 * t + 1], t) for t in range(5)]
    start, steps = time.perf_counter(), 0
    for experience in experiences:
        strategy.train(experience, eval_streams=[])
        steps += -(-len(experience.dataset) // BATCH)
    return (time.perf_counter() - start) / steps, _accuracy(strategy.model, test)


def measure(data_dir: Path | None) -> dict[str, Any]:
    """All ratios as plain values."""
    warnings.simplefilter("ignore")
    use_deterministic_algorithms(threads=1)
    x, y, real = images_and_labels(data_dir)
    result: dict[str, Any] = {"real_mnist": real, "loops": against_loops(x, y), "stock": {}}
    if real and data_dir is not None:
        with tempfile.TemporaryDirectory() as folder:
            benchmark = stock_benchmark(data_dir, Path(folder))
            for name in LOOPS:
                ours, ours_accuracy = run_ours(name, x, y, benchmark)
                stock, stock_accuracy = run_stock(name, benchmark)
                result["stock"][name] = (1e3 * ours, 1e3 * stock, stock / ours, ours_accuracy, stock_accuracy)
    return result
