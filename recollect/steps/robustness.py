"""Robustness: the stored models of finished runs answer on corrupted test images. Nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from recollect.datasets import open_prepared
from recollect.engine.answering import restore_model
from recollect.engine.benchmark import MASKS
from recollect.engine.building import build_strategy
from recollect.engine.device import choose_device
from recollect.engine.outputs import OutputMask
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.errors import RecollectError
from recollect.files import read_json, sha256_file, write_json
from recollect.metrics.robustness import corruption_accuracy, mean_error, overall_robustness
from recollect.robustness.answers import Classifier, corruption_errors, perturbation_scores
from recollect.robustness.official import LABELS
from recollect.robustness.sets import CORRUPTIONS, KINDS, PERTURBATIONS, get_set
from recollect.scenarios.manifest import read_manifest
from recollect.steps.corruptions import open_files
from recollect.steps.evaluate import REDO, stream_labels
from recollect.steps.places import Places
from recollect.steps.train import LoadedData

LEAST_AGREEMENT = 0.99
"""Share of the run's own answers that the restored model must repeat: other devices round differently, no more."""


def robustness(
    scenario: dict[str, Any], method: str, seeds: Sequence[int], name: str, places: Places, data_dir: Path, *,
    device: str = "cpu", threads: int = 1, progress: bool = True,
) -> None:  # fmt: skip
    """Write how the models of a method answer on the robustness set ``name``.

    Raises:
        RecollectError: a run, its model or a corrupted image is missing, damaged or foreign.
    """
    use_deterministic_algorithms(threads)
    chosen = choose_device(device)
    lists = {kind: _corruptions(places, name, kind) for kind in KINDS}
    runs = []
    for seed in seeds:
        record = read_json(places.run(scenario["id"], method, seed) / "run.json", REDO)
        run: dict[str, Any] = {"seed": seed, "status": record["status"], "reason": record["reason"]}
        if record["status"] == "ok":
            model = load_classifier(record, places, scenario, method, seed, chosen)
            run |= judge(model, lists, name, places, data_dir, f"{scenario['id']}/{method} seed {seed}", progress)
        runs.append(run)
    found = {"scenario": scenario["id"], "method": method, "set": name, "runs": runs}
    found["sources"] = {kind: {k: lists[kind][k] for k in ("sha256", "remark")} for kind in KINDS}
    write_json(places.robustness(scenario["id"], method), found)


def _corruptions(places: Places, name: str, kind: str) -> dict[str, Any]:
    path = places.corruptions(name, kind)
    found = read_json(path, f"run the corruptions step: python -m recollect corruptions {name} --kind {kind}")
    data = open_prepared(places.data(found["dataset"])).info
    if data["content_sha256"] != found["data_sha256"]:
        raise RecollectError(f"{path} belongs to other test images: delete it and run again")
    return found


def load_classifier(
    record: dict[str, Any], places: Places, scenario: dict[str, Any], method: str, seed: int, device: torch.device
) -> Classifier:
    """The model of a finished run, which must still answer on the test images as it did.

    Raises:
        RecollectError: the run stored none, or another split, or the model answers otherwise.
    """
    folder = places.run(scenario["id"], method, seed)
    manifest = read_manifest(places.split(scenario["id"], seed))
    if record["split_sha256"] != manifest["sha256"]:
        raise RecollectError(f"{folder} was trained on another split than {scenario['id']}'s seed {seed}: {REDO}")
    if "model_sha256" not in record:
        raise RecollectError(f"{folder} stored no model: add store_model: true to the scenario, {REDO}")
    data = LoadedData([open_prepared(places.data(d["name"])) for d in manifest["datasets"]], device)
    outputs = OutputMask(manifest["n_classes"], MASKS.get(manifest["protocol"], "all"), device)
    class_tasks = np.full(manifest["n_classes"], -1, dtype=np.int64)
    for task, entry in enumerate(manifest["tasks"]):
        outputs.observe(entry["classes"], task)
        class_tasks[entry["classes"]] = task
    strategy = build_strategy(
        record["config"]["method"], outputs, input_shape=data.input_shape, n_tasks=record["n_tasks"],
        value_range=data.value_range, device=device, seed=record["seed"], layout=data.layout,
        bytes_suffice=data.bytes_suffice,
    )  # fmt: skip
    restore_model(strategy, folder, record["model_sha256"], REDO)
    strategy.model.to(device)
    model = Classifier(strategy, outputs, class_tasks, data.datasets[0], device)
    _check_answers(model, places, manifest, folder, record)
    return model


def _check_answers(
    model: Classifier, places: Places, manifest: dict[str, Any], folder: Path, record: dict[str, Any]
) -> None:
    """Compare with the answers that the run stored after its last task."""
    path = folder / "predictions.npz"
    if not path.is_file() or sha256_file(path) != record["predictions_sha256"]:
        raise RecollectError(f"{path} is missing or does not match its run.json: {REDO}")
    with np.load(path, allow_pickle=False) as stored:
        told = stored["test"][-1]
    labels, _ = stream_labels(places, manifest, "test")
    rows = np.concatenate([manifest["index_sets"][task["test"]] for task in manifest["tasks"]]).astype(np.int64)
    images = np.asarray(model.data.test_x)[rows].transpose(0, 2, 3, 1)
    agreement = float(np.mean(model.answers(images, labels) == told))
    if agreement < LEAST_AGREEMENT:
        raise RecollectError(
            f"the model stored in {folder} repeats only {agreement:.1%} of the answers of its run: the method "
            "stores too little (stored_model) or does not put all of it back (load_stored_model)"
        )


def judge(
    model: Classifier, lists: dict[str, dict[str, Any]], name: str, places: Places, data_dir: Path, label: str,
    progress: bool,
) -> dict[str, Any]:  # fmt: skip
    """Metrics of one model, ``@name``, and the numbers behind them per corruption and perturbation."""
    files = {kind: open_files(lists[kind], data_dir, places) for kind in KINDS}
    total = sum(len(some) for some in files.values()) - 1
    errors: dict[str, list[float]] = {}
    sequences: dict[str, tuple[float, float]] = {}
    labels = files[CORRUPTIONS].pop(LABELS).open().astype(np.int64)
    ordered = np.asarray(open_prepared(places.data(lists[PERTURBATIONS]["dataset"])).test_y)
    ordered = ordered[get_set(name).rows(ordered)]
    with tqdm(total=total, desc=label, unit=" files", disable=None if progress else True) as bar:
        for key, file in files[CORRUPTIONS].items():
            errors[key] = corruption_errors(model, file, labels)
            bar.update()
        for key, file in files[PERTURBATIONS].items():
            sequences[key] = perturbation_scores(model, file, ordered)
            bar.update()
    frames, flips = (float(np.mean(values)) for values in zip(*sequences.values(), strict=True))
    accuracy = corruption_accuracy(errors)
    metrics = {
        "corruption_acc": accuracy,
        "mce": mean_error(errors),
        "perturbation_acc": frames,
        "flip_rate": flips,
        "overall_robustness": overall_robustness(accuracy, frames),
    }
    return {
        "metrics": {f"{key}@{name}": value for key, value in metrics.items()},
        "errors": errors,
        "perturbations": {key: {"frame_acc": a, "flip_rate": f} for key, (a, f) in sequences.items()},
    }
