"""One run: a method trained with one seed on one scenario, task by task, saved as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recollect.engine.answering import check_storable, forget_model, model_tensors, save_model
from recollect.engine.building import build_strategy
from recollect.engine.cost import Cost
from recollect.engine.device import choose_device
from recollect.engine.monitor import Diverged, Monitor
from recollect.engine.notice import Notice
from recollect.engine.outputs import OutputMask
from recollect.engine.predict import predict
from recollect.engine.progress import Progress
from recollect.engine.record import STATE, finish, recall
from recollect.engine.seeding import seed_everything, use_deterministic_algorithms
from recollect.engine.snapshots import forget_snapshots, save_snapshot, snapshot_hashes
from recollect.engine.state import load_state, plugin_states, resumable, save_state, tensor_bytes
from recollect.files import canonical_json, sha256_text
from recollect.multimodal.samples import Layout
from recollect.predictions import NOT_EVALUATED
from recollect.provenance.environment import git_state, processor, versions

EVALUATED = ("test", "validation")


@dataclass
class Plan:
    """What a job is asked to do; ``spec`` is what Snakemake watches.

    Attributes:
        spec: scenario, method, engine and code fingerprint, resolved; plain JSON values.
        save_every_s: seconds between saved states within a task.
        streams: which evaluation streams are predicted on after every task (never changes the weights).
    """

    spec: dict[str, Any]
    save_every_s: float = 300.0
    streams: tuple[str, ...] = EVALUATED

    def stamp(self, seed: int, split_sha256: str, data_sha256: Sequence[str], device: str) -> str:
        """Hash of all that determines the numbers of one run; ``device`` is the kind that was found."""
        return sha256_text(canonical_json([self.spec, seed, split_sha256, list(data_sha256), device]))


@dataclass
class Run:
    """The changing part of a run: predictions so far, carried bytes, cost."""

    predictions: dict[str, np.ndarray]
    cost: Cost
    next_task: int = 0
    carried_bytes: list[int] = field(default_factory=list)
    resumed: int = 0

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values for the state file."""
        return {
            "predictions": {name: torch.from_numpy(rows) for name, rows in self.predictions.items()},
            "cost": self.cost.state_dict(),
            "next_task": self.next_task,
            "carried_bytes": list(self.carried_bytes),
            "resumed": self.resumed,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned."""
        self.predictions = {name: rows.numpy().copy() for name, rows in state["predictions"].items()}
        self.cost.load_state_dict(state["cost"])
        self.next_task, self.resumed = state["next_task"], state["resumed"] + 1
        self.carried_bytes = list(state["carried_bytes"])


class SeedRunner:
    """Trains one seed.

    Args:
        plan: what to do.
        seed: of initialisation, order of the batches and every draw of the method.
        benchmark: from :func:`~recollect.engine.benchmark.build_benchmark`.
        input_shape: (C, H, W) of the images.
        folder: where the run's files go.
        split_sha256: of the manifest.
        data_sha256: of the data sets.
        value_range: smallest and largest pixel.
        notice: when to save and stop before the end.
        layout: of samples of several modalities; None for images.
        bytes_suffice: whether memories may keep the data as bytes.
    """

    def __init__(
        self, plan: Plan, seed: int, benchmark: Any, input_shape: tuple[int, int, int], folder: Path,
        split_sha256: str, data_sha256: Sequence[str], value_range: tuple[float, float] = (0.0, 1.0),
        notice: Notice | None = None, layout: Layout | None = None, bytes_suffice: bool = True,
    ) -> None:  # fmt: skip
        self.notice, self.layout, self.bytes_suffice = notice, layout, bytes_suffice
        self.plan, self.seed, self.benchmark, self.folder = plan, seed, benchmark, Path(folder)
        self.input_shape, self.value_range = input_shape, value_range
        self.split_sha256, self.data_sha256 = split_sha256, list(data_sha256)
        self.device = choose_device(plan.spec["engine"]["device"])
        self.stamp = plan.stamp(seed, split_sha256, data_sha256, self.device.type)
        self.streams = {name: list(benchmark.streams[name]) for name in plan.streams if name in benchmark.streams}
        self.n_tasks = len(benchmark.train_stream)
        self.outputs = OutputMask(benchmark.n_classes, benchmark.mask, self.device)
        self.label = f"{plan.spec['scenario']['id']}/{plan.spec['method']['id']} seed {seed}"
        self.progress = Progress(self.label, self.n_tasks)
        self.stores_model = bool(plan.spec["scenario"].get("store_model"))

    def run(self) -> dict[str, Any]:
        """Train, or bring back the finished run, and return its record.

        A run whose loss is no longer finite ends there and is recorded as diverged.
        """
        finished = recall(self.folder, self.stamp)
        if finished is not None:
            self.progress.say(f"{self.label}: already finished, kept")
            return finished
        use_deterministic_algorithms(self.plan.spec["engine"]["threads"])
        seed_everything(self.seed)
        strategy = self._build()
        run = self._start(strategy)
        reason = ""
        try:
            for task, experience in self._remaining(strategy, run):
                self._task(strategy, run, task, experience)
        except Diverged as error:
            reason = str(error)
            self.progress.say(f"{self.label}: {reason}")
        record = self._record(strategy, run, reason)
        finish(self.folder, record, run.predictions)
        self.progress.say(
            f"{self.label}: {record['status']}, {run.cost.wall_s['train'] + run.cost.wall_s['evaluate']:.1f} s"
        )
        return record

    def _build(self) -> Any:
        return build_strategy(
            self.plan.spec["method"], self.outputs, input_shape=self.input_shape, n_tasks=self.n_tasks,
            value_range=self.value_range, device=self.device, seed=self.seed, layout=self.layout,
            bytes_suffice=self.bytes_suffice,
        )  # fmt: skip

    def _start(self, strategy: Any) -> Run:
        if not getattr(strategy, "classifies", True):
            self.streams = {}
        elif self.stores_model:
            check_storable(strategy)
        rows = {name: self._empty_rows(stream) for name, stream in self.streams.items()}
        run = Run(rows, Cost(self.device))
        save = partial(self._save, strategy, run, True)
        self.monitor = Monitor(self.progress, save, self.plan.save_every_s, self.notice)
        # Last, after Avalanche's clock: what it saves is the state after all other callbacks of a step.
        strategy.plugins.append(self.monitor)
        strategy.timed = lambda phase: nullcontext() if phase == "train" else run.cost.phase(f"train, {phase}")
        self.can_resume = hasattr(strategy, "resume") and resumable(strategy.plugins)
        state, problem = load_state(self.folder / STATE, self.stamp) if self.can_resume else (None, "")
        if problem:
            self.progress.say(problem)
        if state is None:
            forget_snapshots(self.folder)
            forget_model(self.folder)
            strategy.model.to(self.device)
            self._predict(strategy, run, row=0)
            return run
        run.load_state_dict(state["run"])
        (strategy.resume if state["within_task"] else strategy.load_state_dict)(state["strategy"])
        self.progress.say(f"{self.label}: continues at task {run.next_task + 1}, epoch {strategy.epoch + 1}")
        return run

    def _empty_rows(self, stream: Sequence[Any]) -> np.ndarray:
        samples = sum(len(experience.dataset) for experience in stream)
        return np.full((self.n_tasks + 1, samples), NOT_EVALUATED, dtype=np.int16)

    def _remaining(self, strategy: Any, run: Run) -> Iterator[tuple[int, Any]]:
        curriculum = getattr(strategy, "curriculum", enumerate)
        for task, experience in curriculum(self.benchmark.train_stream):
            if task >= run.next_task:
                yield task, experience

    def _task(self, strategy: Any, run: Run, task: int, experience: Any) -> None:
        run.next_task = task
        self.outputs.observe_experience(experience)
        self.monitor.start_task(task)
        with run.cost.phase("train"):
            strategy.train(experience, eval_streams=[])
        if self.can_resume:  # what cannot be saved cannot be measured either
            run.carried_bytes.append(self._carried_bytes(strategy))
        self._predict(strategy, run, row=task + 1)
        save_snapshot(self.folder, task, strategy.snapshot() if hasattr(strategy, "snapshot") else {})
        run.next_task = task + 1
        if run.next_task < self.n_tasks:
            self._save(strategy, run, False)

    def _predict(self, strategy: Any, run: Run, row: int) -> None:
        with run.cost.phase("evaluate"):
            for name, stream in self.streams.items():
                answers = [
                    predict(strategy, e.dataset.ready_images, self.outputs, t) for t, e in enumerate(stream)
                ]
                run.predictions[name][row] = np.concatenate(answers)

    def _carried_bytes(self, strategy: Any) -> int:
        return tensor_bytes([strategy.extra_state(), plugin_states(strategy.plugins)])

    def _save(self, strategy: Any, run: Run, within_task: bool) -> None:
        if not self.can_resume:
            return
        with run.cost.phase("save"):
            state = {"within_task": within_task, "strategy": strategy.state_dict(), "run": run.state_dict()}
            save_state(self.folder / STATE, self.stamp, state)

    def _record(self, strategy: Any, run: Run, reason: str) -> dict[str, Any]:
        spec, train_s = self.plan.spec, run.cost.wall_s["train"]
        return {
            "scenario": spec["scenario"]["id"],
            "method": spec["method"]["id"],
            "seed": self.seed,
            "status": "diverged" if reason else "ok",
            "reason": reason,
            "stamp": self.stamp,
            "config": {key: spec[key] for key in ("scenario", "method", "engine")},
            "code_fingerprint": spec["code"],
            "split_sha256": self.split_sha256,
            "data_sha256": self.data_sha256,
            "git": git_state(),
            "versions": versions(),
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else processor(),
            "device_type": self.device.type,
            "n_tasks": self.n_tasks,
            "wall_s": {name: round(s, 4) for name, s in run.cost.wall_s.items()},
            "device_s": {name: round(s, 4) for name, s in run.cost.device_s.items()},
            "vram_mb": round(run.cost.vram_mb(), 1),
            "ram_mb": round(run.cost.ram_mb(), 1),
            "carried_bytes": run.carried_bytes,
            "parameters": sum(p.numel() for p in strategy.model.parameters()),
            "iterations": self.monitor.steps,
            "it_per_s": round(self.monitor.steps / train_s, 2) if train_s else None,
            "resumed": run.resumed,
            "snapshots": snapshot_hashes(self.folder, self.n_tasks),
            "notes": strategy.notes() if hasattr(strategy, "notes") else {},
            **self._stored_model(strategy, reason),
        }

    def _stored_model(self, strategy: Any, reason: str) -> dict[str, str]:
        """The hash of the model after the last task, stored where the scenario asks for it."""
        if reason or not self.stores_model or not getattr(strategy, "classifies", True):
            return {}
        return {"model_sha256": save_model(self.folder, model_tensors(strategy))}
