"""Evaluate generators: stored snapshots are sampled, samples become features, features become metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recollect.datasets import open_prepared
from recollect.engine.device import choose_device
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.errors import RecollectError
from recollect.extractors.features import Extractor, features, load_extractor
from recollect.extractors.reference_file import read_reference
from recollect.files import read_json, write_json
from recollect.generation.evaluation import Judgement, Sampler, judge, summarise
from recollect.generation.measures import MEASURES
from recollect.metrics.accuracy import MetricError
from recollect.scenarios.manifest import read_manifest
from recollect.steps.evaluate import REDO, costs, json_numbers
from recollect.steps.places import Places
from recollect.steps.stored_models import StoredModels
from recollect.steps.train import LoadedData


def samplers(
    record: dict[str, Any], folder: Path, manifest: dict[str, Any], places: Places, device: torch.device
) -> list[Sampler | None]:
    """The model after every task of a run, None where it stored none.

    Raises:
        RecollectError: a snapshot is missing or not the one that the run recorded.
    """
    data = LoadedData([open_prepared(places.data(d["name"])) for d in manifest["datasets"]], device)
    models = StoredModels(record, folder, manifest, data, device)
    return [models[task].sample if task in models else None for task in range(record["n_tasks"])]


def evaluate_run(
    places: Places, scenario: dict[str, Any], method: str, seed: int, device: torch.device,
    measure: Callable[[list[Sampler | None], int, str], tuple[dict[str, float], dict[str, Any]]],
) -> dict[str, Any]:  # fmt: skip
    """Metrics of one run; ``measure`` gets its models, its seed and the hash of its split.

    A run whose samples cannot be measured has failed, with the reason; the other runs have their numbers.
    """
    folder = places.run(scenario["id"], method, seed)
    record = read_json(folder / "run.json", REDO)
    manifest = read_manifest(places.split(scenario["id"], seed))
    if record["split_sha256"] != manifest["sha256"]:
        raise RecollectError(f"{folder} was trained on another split than {scenario['id']}'s seed {seed}: {REDO}")
    result: dict[str, Any] = {"seed": seed, "status": record["status"], "reason": record["reason"]}
    result |= {"costs": costs(record), "metrics": {}, "validation": {}, "notes": record.get("notes", {})}
    if record["status"] != "ok":
        return result
    if not record.get("snapshots"):
        raise RecollectError(f"{folder} has no snapshots, {method} makes no images: take `makes: images` from it")
    started = time.perf_counter()
    models = samplers(record, folder, manifest, places, device)
    try:
        metrics, generation = measure(models, seed, manifest["sha256"])
    except MetricError as error:
        return {**result, "status": "failed", "reason": str(error)}
    seconds = round(time.perf_counter() - started, 2)
    result["costs"]["evaluate_s"] = result["costs"].get("evaluate_s", 0.0) + seconds
    return {**result, "metrics": metrics, "generation": {**generation, "evaluate_s": seconds}}


def feature_measure(places: Places, scenario: dict[str, Any], device: torch.device) -> Callable[..., Any]:
    """Measures with the scenario's feature extractor."""
    name = scenario["extractor"]
    extractor = load_extractor(places.extractor(name), device)

    def extract(images: Tensor) -> np.ndarray:
        # Beyond black and white there is nothing to see; numbers on the scale of their data stay as they are.
        shown = extractor.spec.value_range
        return features(extractor, images.clamp(*shown) if shown else images)

    def measure(models: list[Sampler | None], seed: int, split: str) -> tuple[dict[str, float], dict[str, Any]]:
        path = places.features(scenario["id"], name, seed)
        reference = read_reference(path)
        if (reference.extractor_sha256, reference.split_sha256) != (extractor.sha256, split):
            raise RecollectError(f"{path} belongs to another extractor or split: delete it and run again")
        found = judge(models, reference.tasks, extract, seed, MEASURES[extractor.spec.measured])
        return summarise(found, name), about(found, extractor)

    return measure


def about(found: Judgement, extractor: Extractor) -> dict[str, Any]:
    """What belongs to a distance (contract 4) and the numbers behind the means: a matrix under its name."""
    spec = extractor.spec
    return {
        "extractor": spec.id, "extractor_sha256": extractor.sha256, "feature_dim": spec.feature_dim,
        "value_range": list(spec.value_range) if spec.value_range else "that of the data",
        "n_generated": found.n_generated, "n_reference": found.n_generated,
        "rank_deficient": found.is_rank_deficient, **_numbers_of(found.matrices),
        "final": _numbers_of(found.final),
    }  # fmt: skip


def _numbers_of(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json_numbers(values) for name, values in named.items()}


def evaluate_samples(
    scenario: dict[str, Any], method: str, seeds: Sequence[int], places: Places, *, device: str = "cpu",
    threads: int = 1,
) -> None:  # fmt: skip
    """Write the metrics file of a generator on a scenario, resolved with its ``extractor``.

    Raises:
        RecollectError: a file is missing, damaged or foreign.
    """
    use_deterministic_algorithms(threads)
    chosen = choose_device(device)
    measure = feature_measure(places, scenario, chosen)
    runs = [evaluate_run(places, scenario, method, seed, chosen, measure) for seed in seeds]
    found = {"scenario": scenario["id"], "method": method, "runs": runs}
    write_json(places.metrics(scenario["id"], method), found)
