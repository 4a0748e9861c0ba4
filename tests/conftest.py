"""Tiny random images, a benchmark of them, and runs short enough for a test. Torch is imported only when used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def difference(a: Any, b: Any, path: str = "") -> str:
    """Where two nested values first differ, bit for bit and in type; "" where they do not."""
    import torch

    if type(a) is not type(b):
        return f"{path}: {type(a).__name__} and {type(b).__name__}"
    if isinstance(a, torch.Tensor):
        return "" if a.dtype == b.dtype and torch.equal(a, b) else f"{path}: {a} and {b}"
    if isinstance(a, np.ndarray):
        return "" if a.dtype == b.dtype and np.array_equal(a, b) else f"{path}: {a} and {b}"
    if isinstance(a, dict):
        if list(a) != list(b):
            return f"{path}: keys {list(a)} and {list(b)}"
        return next((d for k in a if (d := difference(a[k], b[k], f"{path}/{k}"))), "")
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{path}: {len(a)} and {len(b)} entries"
        return next((d for i in range(len(a)) if (d := difference(a[i], b[i], f"{path}/{i}"))), "")
    return "" if a == b else f"{path}: {a} and {b}"


class Tiny:
    """Makes small data, benchmarks, settings, strategies and runs; everything follows from seeds."""

    shape = (1, 6, 6)
    difference = staticmethod(difference)

    def arrays(
        self, n_classes: int = 6, per_class: int = 12, shape: Sequence[int] = shape, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """uint8 images (N, C, H, W) around one random pattern per class, and their labels."""
        patterns = np.random.default_rng(99).integers(40, 216, (n_classes, *shape))
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.repeat(np.arange(n_classes), per_class))
        x = patterns[y] + rng.integers(-40, 40, (len(y), *shape))
        return x.astype(np.uint8), y

    def manifest(self, y: np.ndarray, test_y: np.ndarray, pixels: int, seed: int = 0, **scenario: Any) -> dict:
        """A split of these labels; ``scenario`` as in the configuration."""
        from recollect.scenarios.manifest import SourceData, make_manifest

        n_classes = int(y.max()) + 1
        source = SourceData("tiny", "0" * 64, n_classes, pixels, y, test_y)
        chosen = {"protocol": "class-incremental", "n_tasks": 3, "validation": 0.25, **scenario}
        return make_manifest(chosen, [source], seed)

    def benchmark(
        self, *, n_classes: int = 6, per_class: int = 12, shape: Sequence[int] = shape, seed: int = 0,
        **scenario: Any,
    ) -> Any:  # fmt: skip
        """An Avalanche benchmark of tiny data: by default 3 tasks of 2 classes, 18 training images each."""
        import torch

        from recollect.engine.benchmark import Pool, build_benchmark

        x, y = self.arrays(n_classes, per_class, shape, 1)
        test_x, test_y = self.arrays(n_classes, 4, shape, 2)
        manifest = self.manifest(y, test_y, int(np.prod(shape)), seed, **scenario)
        pools = [Pool([torch.from_numpy(a)], torch.from_numpy(b)) for a, b in ((x, y), (test_x, test_y))]
        benchmark = build_benchmark(manifest, *pools)
        benchmark.input_shape = tuple(shape)
        return benchmark

    def setting(self, benchmark: Any = None, seed: int = 0, **train: Any) -> Any:
        """What a method is built from; a small MLP by default."""
        from recollect.engine.outputs import OutputMask
        from recollect.engine.settings import Setting, TrainSettings

        n_classes, mask = (6, "seen") if benchmark is None else (benchmark.n_classes, benchmark.mask)
        shape = self.shape if benchmark is None else benchmark.input_shape
        n_tasks = 3 if benchmark is None else len(benchmark.train_stream)
        chosen = {"width": 8, "depth": 1, "epochs": 2, "batch_size": 5, "lr": 0.05, **train}
        return Setting(
            TrainSettings(**chosen), input_shape=shape, n_classes=n_classes, n_tasks=n_tasks,
            outputs=OutputMask(n_classes, mask), seed=seed,
        )  # fmt: skip

    def strategy(self, method: str, benchmark: Any = None, hyper: dict | None = None, **train: Any) -> Any:
        """A method built for a benchmark, weights drawn from seed 0."""
        import torch

        from recollect.engine.loading import load_build

        torch.manual_seed(0)
        return load_build(method)(setting=self.setting(benchmark, **train), **(hyper or {}))

    def runner(
        self, folder: Path, method: str, benchmark: Any, *, hyper: dict | None = None, seed: int = 0,
        save_every_s: float = 1e9, streams: Sequence[str] = ("test",), device: str = "cpu", **train: Any,
    ) -> Any:  # fmt: skip
        """A run that also keeps its strategy, in attribute ``strategy``."""
        from recollect.engine.runner import Plan, SeedRunner

        class Kept(SeedRunner):
            def _build(self) -> Any:
                self.strategy = super()._build()
                return self.strategy

        chosen = {"width": 8, "depth": 1, "epochs": 2, "batch_size": 5, "lr": 0.05, **train}
        spec = {
            "scenario": {"id": "tiny"},
            "method": {"id": method, "file": method, "train": chosen, "hyper": hyper or {}},
            "engine": {"device": device, "threads": 1},
            "code": "0",
        }
        plan = Plan(spec, save_every_s, tuple(streams))
        return Kept(plan, seed, benchmark, benchmark.input_shape, folder, "split", ["data"])


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """The factory; one thread and deterministic kernels, as in a run."""
    from recollect.engine.seeding import use_deterministic_algorithms

    use_deterministic_algorithms(1)
    return Tiny()


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Any:
    """Undo the process-wide settings of a run: later tests compare numbers down to the denormal ones."""
    yield
    import sys

    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(False)
        torch.set_deterministic_debug_mode("default")
