"""Select: compare hyper-parameters on validation data, with seeds that no reported run uses.

Test predictions are neither made nor read.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from recollect.config.suite import Suite
from recollect.errors import RecollectError
from recollect.metrics.accuracy import accuracy_matrix, all_variants
from recollect.provenance.fingerprint import fingerprint
from recollect.scenarios.manifest import read_manifest
from recollect.steps.evaluate import stream_labels
from recollect.steps.places import Places
from recollect.steps.pretrain import with_weights
from recollect.steps.split import split
from recollect.steps.train import train

CRITERION = "avg_acc_unweighted"


def parse_grid(entries: Sequence[str]) -> dict[str, list[Any]]:
    """``["lr=0.1,0.03", "lam=1,10"]`` as lists of YAML values.

    Raises:
        RecollectError: an entry is not name=value[,value...].
    """
    grid = {}
    for entry in entries:
        name, found, values = entry.partition("=")
        if not found or not values:
            raise RecollectError(f"--grid {entry!r} must be name=value[,value...], e.g. lr=0.1,0.03")
        try:
            grid[name] = [yaml.safe_load(value) for value in values.split(",")]
        except yaml.YAMLError:
            raise RecollectError(f"--grid {entry!r} has a value that is not YAML: e.g. lr=0.1,0.03") from None
    return grid


def _validation_score(places: Places, scenario: str, method: str, seed: int) -> float:
    manifest = read_manifest(places.split(scenario, seed))
    with np.load(places.run(scenario, method, seed) / "predictions.npz", allow_pickle=False) as stored:
        predictions = stored["validation"]
    labels, sizes = stream_labels(places, manifest, "validation")
    R, initial = accuracy_matrix(predictions, labels, sizes)
    return all_variants(R, sizes, initial).get(CRITERION, float("nan"))


def select(
    suite: Suite,
    scenario_id: str,
    method: str,
    grid: dict[str, list[Any]],
    seeds: Sequence[int],
    places: Places,
) -> Iterator[tuple[dict[str, Any], float, float]]:
    """Train every point of the grid and yield (settings, mean, standard deviation) of the validation accuracy.

    Raises:
        RecollectError: the scenario holds no validation data out, or a seed is one of the suite's.
    """
    scenario = suite.scenario(scenario_id)
    if not scenario.get("validation"):
        raise RecollectError(f"scenario {scenario_id} holds no validation data out: set validation, e.g. 0.1")
    if set(seeds) & set(suite.seeds):
        raise RecollectError(f"seeds {list(seeds)} must differ from the suite's {suite.seeds}: choose others")
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        tried = Suite.load({**suite.config, "overrides": {method: chosen}}, suite.files)
        with tempfile.TemporaryDirectory() as folder:
            mine = Places(folder)
            (Path(folder) / "data").symlink_to((places.results / "data").resolve())
            split(scenario, seeds, mine)
            resolved = tried.method(method, scenario_id)
            spec = {
                "scenario": scenario,
                "method": resolved,
                "engine": {"device": suite.config["device"], "threads": suite.config["threads_per_job"]},
                "code": fingerprint(suite.method_file(method), resolved["train"]["model"]),
            }
            train(with_weights(spec, places), seeds, mine, streams=("validation",))
            scores = [_validation_score(mine, scenario_id, method, seed) for seed in seeds]
        yield chosen, float(np.mean(scores)), float(np.std(scores))
