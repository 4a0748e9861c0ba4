"""Train: all seeds of one method on one scenario, in one process that pays for its imports once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from recollect.datasets import Prepared, open_prepared
from recollect.datasets.packed import PackedArrays
from recollect.engine.benchmark import Pool, build_benchmark
from recollect.engine.device import choose_device
from recollect.engine.notice import Notice
from recollect.engine.packed import Packed, layout_of
from recollect.engine.runner import EVALUATED, Plan, SeedRunner
from recollect.engine.stored import Enlarged
from recollect.errors import RecollectError
from recollect.multimodal.samples import Layout
from recollect.scenarios.manifest import arrays_of, read_manifest
from recollect.steps.places import Places

IN_MEMORY_BYTES = 4 << 30
"""Data sets up to this size are kept on the device; larger ones stay memory-mapped."""


def _on_device(array: Any, device: torch.device, limit: int) -> Any:
    if not isinstance(array, np.ndarray) or array.nbytes > limit:
        return array
    return torch.from_numpy(np.array(array)).to(device)


def stored_images(array: Any, data: Prepared, device: torch.device, limit: int = IN_MEMORY_BYTES) -> Any:
    """Images of a prepared data set as the engine takes them, enlarged where methods see them so.

    Args:
        array: of the form in which ``data`` are stored, its own or another of the same kind.
        data: says how large methods see them.
        device: where small arrays are kept.
        limit: bytes; larger arrays stay where they are.
    """
    if isinstance(array, PackedArrays):
        small = limit if array.nbytes <= limit else 0
        values = {name: _on_device(values, device, small) for name, values in array.values.items()}
        return Packed(replace(array, present=_on_device(array.present, device, small), values=values))
    kept = _on_device(array, device, limit)
    return kept if data.enlarged_side is None else Enlarged(kept, data.enlarged_side)


@dataclass
class LoadedData:
    """The data sets of a scenario, loaded once for all seeds of a job."""

    datasets: list[Prepared]
    device: torch.device
    limit: int = IN_MEMORY_BYTES
    pools: dict[tuple[str, tuple[int, ...]], Pool] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W); all data sets of a scenario must agree."""
        shapes = {tuple(data.info["input_shape"]) for data in self.datasets}
        if len(shapes) != 1:
            names = [data.info["dataset"] for data in self.datasets]
            raise RecollectError(
                f"data sets {names} differ in image shape {sorted(shapes)}: use sets of one shape"
            )
        return shapes.pop()

    @property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest pixel that methods see: bytes become fractions, other numbers stay as they are."""
        ranges = {d.value_range if d.train_x.dtype.kind == "f" else (0.0, 1.0) for d in self.datasets}
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    @property
    def layout(self) -> Layout | None:
        """Where each modality lies in a row; None for images. All data sets of a scenario must agree."""
        kinds = {
            tuple((m["name"], tuple(m["shape"])) for m in d.info.get("modalities", ())) for d in self.datasets
        }
        if len(kinds) != 1:
            names = [data.info["dataset"] for data in self.datasets]
            raise RecollectError(f"data sets {names} differ in their modalities: use sets of the same ones")
        packed = self.datasets[0].train_x
        return layout_of(packed.modalities) if isinstance(packed, PackedArrays) else None

    @property
    def bytes_suffice(self) -> bool:
        """Whether memories may keep the data as bytes; images always are."""
        return all(m["dtype"] == "uint8" for d in self.datasets for m in d.info.get("modalities", ()))

    @property
    def sha256(self) -> list[str]:
        """Content hashes, in order."""
        return [data.info["content_sha256"] for data in self.datasets]

    def pool(self, part: str, offsets: Sequence[int]) -> Pool:
        """The images of ``train`` or ``test`` with their labels moved by ``offsets``."""
        key = (part, tuple(offsets))
        if key not in self.pools:
            arrays = [stored_images(getattr(d, f"{part}_x"), d, self.device, self.limit) for d in self.datasets]
            labels = [np.asarray(getattr(d, f"{part}_y")) + o for d, o in zip(self.datasets, offsets, strict=True)]
            self.pools[key] = Pool(arrays, torch.from_numpy(np.concatenate(labels)).to(self.device))
        return self.pools[key]

    def benchmark(self, manifest: dict[str, Any], split_file: str) -> Any:
        """The Avalanche benchmark of a manifest made for exactly these data.

        Raises:
            RecollectError: the manifest was made for other data.
        """
        if [entry["sha256"] for entry in manifest["datasets"]] != self.sha256:
            raise RecollectError(f"{split_file} was made for other data: delete it and run again")
        offsets = [entry["label_offset"] for entry in manifest["datasets"]]
        return build_benchmark(
            manifest, self.pool("train", offsets), self.pool(arrays_of(manifest, "test"), offsets)
        )


def train(
    spec: dict[str, Any],
    seeds: Sequence[int],
    places: Places,
    *,
    save_every_s: float = 300.0,
    streams: tuple[str, ...] = EVALUATED,
) -> list[dict[str, Any]]:
    """Train every seed and return the run records.

    Args:
        spec: resolved scenario, method, engine and code fingerprint.
        seeds: which runs.
        places: the results folder; splits and data must be there.
        save_every_s: seconds between saved states within a task.
        streams: what is predicted on after every task; the weights come out the same without.

    Raises:
        Stopped: a signal or the end of the job's time came first; finished runs and the state are stored.
    """
    device = choose_device(spec["engine"]["device"])
    scenario = spec["scenario"]
    data = LoadedData([open_prepared(places.data(name)) for name in scenario["datasets"]], device)
    plan = Plan(spec, save_every_s, streams)
    notice = Notice.of_job()
    with notice.listening():
        return [_train_seed(plan, seed, data, places, notice) for seed in seeds]


def _train_seed(plan: Plan, seed: int, data: LoadedData, places: Places, notice: Notice) -> dict[str, Any]:
    notice.check(f"before seed {seed}")
    scenario, method = plan.spec["scenario"]["id"], plan.spec["method"]["id"]
    split_file = places.split(scenario, seed)
    manifest = read_manifest(split_file)
    benchmark = data.benchmark(manifest, str(split_file))
    runner = SeedRunner(
        plan, seed, benchmark, data.input_shape, places.run(scenario, method, seed), manifest["sha256"],
        data.sha256, data.value_range, notice, data.layout, data.bytes_suffice,
    )  # fmt: skip
    return runner.run()
