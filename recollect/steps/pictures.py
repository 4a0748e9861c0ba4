"""Pictures: stored models of a generative run are sampled, and drawn; methods that tell of themselves, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recollect.datasets import open_prepared
from recollect.engine.device import choose_device
from recollect.engine.seeding import use_deterministic_algorithms
from recollect.errors import RecollectError
from recollect.figures.draw import render
from recollect.figures.experts import experts_figure
from recollect.figures.modalities import modalities_figure
from recollect.figures.notice import notice
from recollect.figures.sheet import About
from recollect.figures.style import style
from recollect.files import read_json, write_bytes
from recollect.generation.gallery import Gallery
from recollect.scenarios.manifest import read_manifest
from recollect.steps.evaluate import REDO
from recollect.steps.places import Places
from recollect.steps.stored_models import StoredModels
from recollect.steps.suite_pictures import EXPERTS, LATENTS, MODALITIES, RECONSTRUCTIONS, SAMPLES, picture_paths
from recollect.steps.train import LoadedData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAW: dict[str, Callable[[Gallery], Figure]] = {
    SAMPLES: Gallery.samples, RECONSTRUCTIONS: Gallery.reconstructions, LATENTS: Gallery.latents,
}  # fmt: skip


def _experts(record: dict[str, Any], title: str) -> Figure:
    history = record["notes"]["experts"]
    if not any(history[0]["usage"]):
        return notice(title, "its model has no adapters")
    shares = [told["routing_agreement"] for told in record["diagnoses"] if "routing_agreement" in told]
    return experts_figure(history, shares, title)


def _modalities(record: dict[str, Any], title: str) -> Figure:
    told = record["diagnoses"][-1] if record.get("diagnoses") else {}
    if "points" not in told:
        return notice(title, "no test samples were looked at")
    return modalities_figure(told["points"], told.get("silhouette"), title)


DRAW_RECORD: dict[str, Callable[[dict[str, Any], str], Figure]] = {EXPERTS: _experts, MODALITIES: _modalities}


def first_finished(places: Places, scenario: str, method: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The record of the first run that came out; where none did, of the first run."""
    records = [read_json(places.run(scenario, method, seed) / "run.json", REDO) for seed in seeds]
    return next((record for record in records if record["status"] == "ok"), records[0])


def open_gallery(
    record: dict[str, Any], places: Places, scenario: str, method: str, title: str, device: torch.device
) -> Gallery:
    """Models and evaluation images of a run.

    Raises:
        RecollectError: a file is missing, damaged or foreign.
    """
    seed = record["seed"]
    folder, split_file = places.run(scenario, method, seed), places.split(scenario, seed)
    manifest = read_manifest(split_file)
    if record["split_sha256"] != manifest["sha256"]:
        raise RecollectError(f"{folder} was trained on another split than {split_file}: {REDO}")
    if str(record["n_tasks"] - 1) not in record.get("snapshots", {}):
        raise RecollectError(f"{folder} has no snapshot of {method} after its last task: {REDO}")
    data = LoadedData([open_prepared(places.data(d["name"])) for d in manifest["datasets"]], device)
    models = StoredModels(record, folder, manifest, data, device)
    stream = data.benchmark(manifest, str(split_file)).test_stream
    return Gallery(models, stream, About(title, record["n_tasks"], data.value_range), seed, device)


def pictures(
    scenario: str, method: str, seeds: Sequence[int], places: Places, *, folder: Path, kinds: Sequence[str],
    label: str | None = None, device: str = "cpu", threads: int = 1,
) -> None:  # fmt: skip
    """Draw the first run that came out; where none did, pictures say so.

    Args:
        scenario, method: which run.
        seeds: in order of preference.
        places: the results folder.
        folder: of the pictures.
        kinds: of :data:`DRAW` or of :data:`DRAW_RECORD`.
        label: how the method is called in titles.
        device, threads: for sampling.

    Raises:
        RecollectError: a file is missing, damaged or foreign, or a kind needs an encoder and there is none.
    """
    use_deterministic_algorithms(threads)
    record = first_finished(places, scenario, method, seeds)
    title = f"{label or method}, {scenario}, seed {record['seed']}"
    gallery = None
    if record["status"] == "ok" and not set(kinds) <= set(DRAW_RECORD):
        gallery = open_gallery(record, places, scenario, method, title, choose_device(device))
    for kind in kinds:
        with style():
            if record["status"] != "ok":
                figure = notice(title, f"{record['status']}: {record['reason']}")
            elif kind in DRAW_RECORD:
                figure = DRAW_RECORD[kind](record, title)
            else:
                assert gallery is not None
                figure = DRAW[kind](gallery)
            for path in picture_paths(folder, kind, scenario, method):
                write_bytes(path, render(figure, path.suffix[1:]))
