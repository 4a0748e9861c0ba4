"""Paired sequences whose label needs both modalities, on two frozen transformers of different depth and width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

TOWERS = ["a=mm_random_shallow", "b=mm_random_deep"]
MODEL = {
    "model": "mm_encoder", "mm_towers": TOWERS, "width": 32, "mm_rank": 8, "mm_scale": 1.0, "batch_size": 32,
    "lr": 3e-3,
}  # fmt: skip


class Paired:
    """Sequences a (1, 1, 8) and b (1, 1, 12). In task t the bits x and y choose one of two patterns each, of that
    task; the label is 2 t + (x xor y), so that neither sequence alone says anything about it."""

    def layout(self) -> Any:
        from recollect.multimodal.samples import Layout, Modality

        return Layout([Modality("a", (1, 1, 8)), Modality("b", (1, 1, 12))])

    def rows(
        self, n_tasks: int, per_class: int, seed: int, missing: float = 0.0
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Packed rows (N, 1, 1, P) and labels."""
        patterns = np.random.default_rng(77)
        rng = np.random.default_rng(seed)
        a = patterns.normal(size=(n_tasks, 2, 8))
        b = patterns.normal(size=(n_tasks, 2, 12))
        label = rng.permutation(np.repeat(np.arange(2 * n_tasks), per_class))
        task, xor = label // 2, label % 2
        x = rng.integers(0, 2, len(label))
        values = {
            "a": a[task, x] + 0.2 * rng.normal(size=(len(label), 8)),
            "b": b[task, x ^ xor] + 0.2 * rng.normal(size=(len(label), 12)),
        }
        tensors = {name: torch.from_numpy(v).float()[:, None, None] for name, v in values.items()}
        here = {"b": torch.from_numpy(rng.random(len(label)) >= missing)}
        return self.layout().pack(tensors, here)[:, None, None], label

    def benchmark(self, n_tasks: int = 3, per_class: int = 60, missing: float = 0.0, **scenario: Any) -> Any:
        """Class-incremental unless said otherwise, two classes per task."""
        from recollect.engine.benchmark import Pool, build_benchmark
        from recollect.scenarios.manifest import SourceData, make_manifest

        x, y = self.rows(n_tasks, per_class, 1, missing)
        test_x, test_y = self.rows(n_tasks, 40, 2)
        source = SourceData("paired", "0" * 64, 2 * n_tasks, x[0].numel(), y, test_y)
        chosen = {"protocol": "class-incremental", "n_tasks": n_tasks, "validation": 0.0, **scenario}
        manifest = make_manifest(chosen, [source], 0)
        benchmark = build_benchmark(
            manifest, Pool([x], torch.from_numpy(y)), Pool([test_x], torch.from_numpy(test_y))
        )
        benchmark.input_shape = tuple(x.shape[1:])
        benchmark.layout = self.layout()
        return benchmark

    def setting(self, benchmark: Any = None, seed: int = 0, **train: Any) -> Any:
        """What a method is built from."""
        from recollect.engine.outputs import OutputMask
        from recollect.engine.settings import Setting, TrainSettings

        n_classes, mask = (6, "seen") if benchmark is None else (benchmark.n_classes, benchmark.mask)
        layout = self.layout()
        return Setting(
            TrainSettings(**{**MODEL, **train}), input_shape=(1, 1, layout.size), n_classes=n_classes,
            n_tasks=3 if benchmark is None else len(benchmark.train_stream), outputs=OutputMask(n_classes, mask),
            seed=seed, layout=layout, bytes_suffice=False,
        )  # fmt: skip

    def runner(
        self, folder: Any, method: str, benchmark: Any, *, hyper: dict | None = None, seed: int = 0,
        save_every_s: float = 1e9, streams: Any = ("test",), **train: Any,
    ) -> Any:  # fmt: skip
        """A run that also keeps its strategy, in attribute ``strategy``."""
        from recollect.engine.runner import Plan, SeedRunner

        class Kept(SeedRunner):
            def _build(self) -> Any:
                self.strategy = super()._build()
                return self.strategy

        spec = {
            "scenario": {"id": "paired"},
            "method": {"id": method, "file": method, "train": {**MODEL, **train}, "hyper": hyper or {}},
            "engine": {"device": "cpu", "threads": 1},
            "code": "0",
        }
        return Kept(
            Plan(spec, save_every_s, tuple(streams)), seed, benchmark, benchmark.input_shape, folder, "split",
            ["data"], layout=benchmark.layout, bytes_suffice=False,
        )  # fmt: skip

    def accuracy(self, benchmark: Any, folder: Any) -> np.ndarray:
        """R[t, i] of a finished run, without the row before training."""
        labels = [e.dataset.ready_images.labels.numpy() for e in benchmark.test_stream]
        ends = np.cumsum([0, *map(len, labels)])
        with np.load(folder / "predictions.npz") as stored:
            rows = stored["test"][1:]
        tasks = range(len(labels))
        return np.array([[np.mean(row[ends[i] : ends[i + 1]] == labels[i]) for i in tasks] for row in rows])


@pytest.fixture(scope="session")
def paired() -> Paired:
    """The factory; one thread and deterministic kernels, as in a run."""
    from recollect.engine.seeding import use_deterministic_algorithms

    use_deterministic_algorithms(1)
    return Paired()
