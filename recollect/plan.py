"""What the workflow's rules ask: inputs, parameters and targets of a suite. Plain functions, no Snakemake."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from recollect.config.claims import CLAIMS_FOLDER
from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.config.suite_robustness import judged_methods
from recollect.errors import RecollectError
from recollect.estimates import estimate, runtime_minutes
from recollect.extractors import get_extractor_spec
from recollect.files import canonical_json
from recollect.gpu_slots import NEED_MB, SLOTS
from recollect.layout import ROOT
from recollect.multimodal.registry import get_tower_spec, never_trained, pretraining_module
from recollect.provenance.fingerprint import (
    evaluation_fingerprint,
    fingerprint,
    pretraining_fingerprint,
    split_fingerprint,
    step_fingerprint,
)
from recollect.robustness.sets import KINDS, get_set
from recollect.steps.places import Places
from recollect.steps.report_files import report_files
from recollect.steps.suite_figures import figure_files
from recollect.steps.suite_pictures import PictureGroup, picture_groups
from recollect.tables.write import table_paths

DEFAULT = ROOT / "config" / "default.yaml"
PRETRAIN_MINUTES = 240
BESIDE_NUMBERS = (
    "data_dir",
    "offline",
    "mlflow",
    "mem_mb",
    "checkpoint_minutes",
    "gpu_slots",
    "gpu_mem_mb",
    "gres_per_job",
)
BESIDE_TRAINING = ("title", "extractor")


@dataclass(frozen=True)
class Batch:
    """Seeds that one job trains.

    Args:
        seeds: none for a job of any one seed, which the wildcard ``seed`` names: one rule for all of them. With a
            rule for each, Snakemake compares every file with every rule, and ten thousand seeds are never planned.
    """

    seeds: tuple[int, ...] = ()

    @property
    def in_paths(self) -> tuple[int | str, ...]:
        """What stands for the seeds in names of files."""
        return self.seeds or ("{seed}",)

    @property
    def name(self) -> str:
        """``seed{seed}``, ``seed3`` or ``seeds0-4``; part of the names of logs."""
        first, last = self.in_paths[0], self.in_paths[-1]
        return f"seed{first}" if len(self.in_paths) == 1 else f"seeds{first}-{last}"

    def rule(self, step: str) -> str:
        """Name of the rule that does a step for these seeds."""
        return f"{step}_{self.name}" if self.seeds else step

    def of(self, wildcards: Any) -> tuple[int, ...]:
        """The seeds of a job."""
        return self.seeds or (int(wildcards.seed),)


def _check_writable(folder: Path) -> None:
    existing = next(path for path in [folder.resolve(), *folder.resolve().parents] if path.exists())
    if not os.access(existing, os.W_OK):
        raise RecollectError(f"{existing} may not be written, results go there: change its permissions")


class Plan:
    """Answers to the rules. Arguments named ``wildcards`` carry ``scenario`` and ``method``.

    Args:
        suite: a checked configuration.
    """

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._places = Places()
        # Snakemake asks for every job; the answers differ by scenario and method only.
        self._scenario = lru_cache(maxsize=None)(suite.scenario)
        self._code = lru_cache(maxsize=None)(fingerprint)
        self._spec = lru_cache(maxsize=None)(self._make_spec)
        self._backbones = lru_cache(maxsize=None)(suite.backbones)
        self._estimate = lru_cache(maxsize=None)(partial(estimate, self._places))

    @classmethod
    def from_config(cls, config: dict[str, Any], files: Sequence[str]) -> Plan:
        """Check a configuration and plan it; raises RecollectError with one clear sentence."""
        # Snakemake lists the Snakefile's own configuration last, although the others override it.
        _check_writable(Path("results"))
        own = [file for file in files if Path(file).resolve() == DEFAULT]
        return cls(Suite.load(dict(config), own + [file for file in files if file not in own]))

    # Values --------------------------------------------------------------------------------------

    @property
    def suite(self) -> str:
        """Name of the suite."""
        return self._suite.name

    @property
    def seeds(self) -> list[int]:
        """All seeds."""
        return self._suite.seeds

    @cached_property
    def batches(self) -> list[Batch]:
        """Seeds by rule: those of one job, or any one seed."""
        batches = self._suite.seed_batches()
        if all(len(seeds) == 1 for seeds in batches):
            return [Batch()]
        return [Batch(tuple(seeds)) for seeds in batches]

    @property
    def threads(self) -> int:
        """Threads of a training job; part of the resolved settings, as sums depend on it."""
        return self._suite.config["threads_per_job"]

    def mem_mb(self, wildcards: Any, attempt: int) -> int:
        """Memory a training job may use, for schedulers: twice as much at every further attempt."""
        return self._suite.config.get("mem_mb", 4000) * 2 ** (attempt - 1)

    @property
    def gpus(self) -> int:
        """Whole GPUs a training job asks a scheduler for; none where it asks for a part or a type of one."""
        return 0 if self.gres else self._suite.config.get("gpus_per_job", 0)

    @property
    def gres(self) -> str:
        """A generic resource of SLURM that a training job asks for; empty for none."""
        return self._suite.config.get("gres_per_job", "")

    @property
    def gpu_environment(self) -> str:
        """What jobs need to know to share cards, as assignments for a shell."""
        chosen = {SLOTS: self._suite.config.get("gpu_slots", 4), NEED_MB: self._suite.config.get("gpu_mem_mb", 0)}
        return " ".join(f"{name}={value}" for name, value in chosen.items())

    def runtime_minutes(self, batch: Batch) -> Callable[[Any, int], int]:
        """Minutes a training job of this batch may take, for schedulers, from runs that were measured."""
        unknown = self._suite.config.get("runtime_minutes", 120)

        def minutes(wildcards: Any, attempt: int) -> int:
            known = self._estimate(wildcards.scenario, wildcards.method)
            return runtime_minutes(known, len(batch.in_paths), attempt, unknown)

        return minutes

    def pretrain_minutes(self, wildcards: Any, attempt: int) -> int:
        """Minutes for the training of a backbone, for schedulers: twice as many at every further attempt."""
        return PRETRAIN_MINUTES * 2 ** (attempt - 1)

    @property
    def save_every_s(self) -> float:
        """Seconds between saved states within a task."""
        return 60.0 * self._suite.config["checkpoint_minutes"]

    @property
    def mlflow_uri(self) -> str:
        """The MLflow store."""
        return self._suite.config["mlflow"]["uri"]

    @property
    def data_dir_argument(self) -> str:
        """Command-line arguments that say where data are looked for."""
        return self.data_dir_only + (" --offline" if self._suite.config.get("offline") else "")

    @property
    def data_dir_only(self) -> str:
        """The same for steps that never open a connection."""
        quoted = self._suite.data_dir.replace("'", "'\\''")
        return f"--data-dir '{quoted}'"

    # Arguments of jobs ---------------------------------------------------------------------------

    def scenario_argument(self, wildcards: Any) -> str:
        """A resolved scenario as JSON."""
        return canonical_json(self._trained_on(wildcards.scenario))

    def _trained_on(self, name: str) -> dict[str, Any]:
        """What of a scenario determines the numbers of training: not its title, nor how samples are judged."""
        return {key: value for key, value in self._scenario(name).items() if key not in BESIDE_TRAINING}

    @cached_property
    def split_code(self) -> str:
        """Fingerprint of the splitting code; a change of it splits anew."""
        return split_fingerprint()

    @cached_property
    def domains_code(self) -> str:
        """Fingerprint of the code that makes domains."""
        return step_fingerprint("recollect.steps.domains")

    @cached_property
    def evaluation_code(self) -> str:
        """Fingerprint of the evaluation code; a change of it evaluates anew, without training."""
        return evaluation_fingerprint()

    def train_spec(self, wildcards: Any) -> str:
        """All that determines the numbers of a training job, as JSON; a change of it retrains."""
        return self._spec(wildcards.scenario, wildcards.method)

    def _make_spec(self, scenario: str, method: str) -> str:
        engine = {"device": self._suite.config["device"], "threads": self.threads}
        resolved = self._suite.method(method, scenario)
        return canonical_json(
            {
                "scenario": self._trained_on(scenario),
                "method": resolved,
                "engine": engine,
                "code": self._code(self._suite.method_file(method), resolved["train"]["model"]),
            }
        )

    @cached_property
    def evaluate_samples_code(self) -> str:
        """Fingerprint of the code that judges samples."""
        return step_fingerprint("recollect.steps.evaluate_samples")

    @cached_property
    def extractor_code(self) -> str:
        """Fingerprint of the code that makes feature extractors."""
        return step_fingerprint("recollect.steps.extractor")

    def pretraining(self, wildcards: Any) -> str:
        """All that determines the weights of a backbone, as JSON; a change of it makes them anew."""
        spec = get_tower_spec(wildcards.backbone)
        module = pretraining_module(spec)
        return canonical_json(
            {"backbone": asdict(spec), "code": pretraining_fingerprint(module) if module else ""}
        )

    @cached_property
    def reference_code(self) -> str:
        """Fingerprint of the code that computes reference features."""
        return step_fingerprint("recollect.steps.reference")

    @property
    def engine_argument(self) -> str:
        """Device and threads of a job as command-line arguments."""
        return f"--device {self._suite.config['device']} --threads {self.threads}"

    def judged_scenario_argument(self, wildcards: Any) -> str:
        """A resolved scenario with its extractor, as JSON."""
        extractor = self._scenario(wildcards.scenario)["extractor"]
        return canonical_json({**self._trained_on(wildcards.scenario), "extractor": extractor})

    def makers(self, what: str) -> str:
        """The suite's methods that are judged by ``answers`` or by ``images``, as a pattern for a wildcard."""
        names = [name for name in self._suite.methods if self._suite.makes(name) == what]
        return "|".join(names) or "(?!)"

    @property
    def _generators(self) -> list[str]:
        return [name for name in self._suite.methods if self._suite.makes(name) == "images"]

    @cached_property
    def corruptions_code(self) -> str:
        """Fingerprint of the code that makes corrupted images."""
        return step_fingerprint("recollect.steps.corruptions")

    @cached_property
    def robustness_code(self) -> str:
        """Fingerprint of the code that judges models on corrupted images."""
        return step_fingerprint("recollect.steps.robustness")

    @property
    def robustness_set(self) -> str:
        """Which corrupted images the suite judges on; empty for none."""
        return self._suite.config.get("robustness", {}).get("set", "")

    @property
    def _judged(self) -> list[str]:
        return judged_methods(self._suite.methods, self._suite.makes) if self.robustness_set else []

    @cached_property
    def pictures_code(self) -> str:
        """Fingerprint of the code that draws pictures of generators."""
        return step_fingerprint("recollect.steps.pictures")

    @cached_property
    def _summary(self) -> dict[str, Any]:
        keys = ("suite", "seeds", "confidence", "n_resamples")
        everything = {"scenarios": self._suite.scenarios, "methods": self._suite.methods}
        chosen = {**{key: self._suite.config[key] for key in keys}, **everything}
        labels = {method: self._suite.label(method) for method in self._suite.methods}
        # Suites without generators, or with the same methods everywhere, do not mention them.
        generators = {"generators": self._generators} if self._generators else {}
        judged = {**self._suite.config.get("robustness", {}), "methods": self._judged}
        robustness = {"robustness": judged} if self._judged else {}
        complete = len(self._suite.pairs) == len(self._suite.scenarios) * len(self._suite.methods)
        pairs = {} if complete else {"pairs": self._suite.pairs}
        return {**chosen, "tables": self._suite.tables(), "labels": labels, **generators, **robustness, **pairs}

    @property
    def suite_argument(self) -> str:
        """What collecting and tabulating need to know, as JSON."""
        return canonical_json(self._summary)

    # Inputs and targets --------------------------------------------------------------------------

    def data_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a scenario."""
        datasets = self._scenario(wildcards.scenario)["datasets"]
        return [str(self._places.data(dataset) / "dataset.json") for dataset in datasets]

    def split_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a scenario, and its domains where clusters make them."""
        clustered = "domains" in self._scenario(wildcards.scenario)
        more = [str(self._places.domains(wildcards.scenario))] if clustered else []
        return [*self.data_inputs(wildcards), *more]

    def domain_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a scenario whose domains are clusters, and the transformer that sees them."""
        tower = self._scenario(wildcards.scenario)["domains"]["tower"]
        weights = [] if never_trained(get_tower_spec(tower)) else [self._places.backbone(tower) / "backbone.json"]
        return [*self.data_inputs(wildcards), *map(str, weights)]

    def evaluate_inputs(self, wildcards: Any) -> list[str]:
        """Run records and predictions of all seeds."""
        folders = [self._places.run(wildcards.scenario, wildcards.method, seed) for seed in self.seeds]
        return [str(folder / name) for folder in folders for name in ("run.json", "predictions.npz")]

    def extractor_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of an extractor that is trained here."""
        training = get_extractor_spec(wildcards.extractor).training
        return [] if training is None else [str(self._places.data(training.dataset) / "dataset.json")]

    def corruption_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a robustness set."""
        return [str(self._places.data(get_set(wildcards.robustness_set).dataset) / "dataset.json")]

    def corruption_lists(self, wildcards: Any) -> list[str]:
        """Lists of the corrupted images that the suite judges on."""
        return [str(self._places.corruptions(self.robustness_set, kind)) for kind in KINDS if self.robustness_set]

    def pretrain_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a backbone that is trained here."""
        recipe = get_tower_spec(wildcards.backbone).pretraining
        return [] if recipe is None else [str(self._places.data(recipe.dataset) / "dataset.json")]

    def pretrain_threads(self, wildcards: Any) -> int:
        """Threads of a backbone's training; its recipe says how many."""
        recipe = get_tower_spec(wildcards.backbone).pretraining
        return 1 if recipe is None else recipe.threads

    def backbone_inputs(self, wildcards: Any) -> list[str]:
        """Records of the pre-trained backbones that a method uses."""
        names = self._backbones(wildcards.method, wildcards.scenario)
        return [str(self._places.backbone(name) / "backbone.json") for name in names]

    def reference_inputs(self, wildcards: Any) -> list[str]:
        """Reference features of a scenario, all seeds."""
        scenario = self._scenario(wildcards.scenario)
        extractor = scenario["extractor"]
        return [str(self._places.features(scenario["id"], extractor, seed)) for seed in self.seeds]

    def evaluate_splits(self, wildcards: Any) -> list[str]:
        """Manifests of all seeds."""
        return [str(self._places.split(wildcards.scenario, seed)) for seed in self.seeds]

    @cached_property
    def collect_inputs(self) -> list[str]:
        """Metrics of every scenario and method."""
        return [str(self._places.metrics(s, m)) for s, m in self._suite.pairs]

    @cached_property
    def robustness_files(self) -> list[str]:
        """How the stored models of every scenario and classifier answer on corrupted images."""
        return [str(self._places.robustness(s, m)) for s, m in self._suite.pairs if m in self._judged]

    @property
    def collected(self) -> str:
        """The collected frame."""
        return str(self._places.collected(self.suite))

    @cached_property
    def table_files(self) -> list[str]:
        """Every table in every format."""
        folder = self._places.tables(self.suite)
        return [str(path) for table in self._suite.tables() for path in table_paths(table["id"], folder)]

    @property
    def table_pages(self) -> list[str]:
        """Those tables that a browser shows."""
        return [path for path in self.table_files if path.endswith(".html")]

    @property
    def table_sources(self) -> list[str]:
        """The others."""
        return [path for path in self.table_files if not path.endswith(".html")]

    @property
    def figure_images(self) -> list[str]:
        """Those figures that a browser shows."""
        return [path for path in self.figure_files if path.endswith(".png")]

    @property
    def figure_vectors(self) -> list[str]:
        """The others."""
        return [path for path in self.figure_files if not path.endswith(".png")]

    @cached_property
    def figure_files(self) -> list[str]:
        """Every figure in every format."""
        return [str(path) for path in figure_files(self._summary, self._places.figures(self.suite))]

    @cached_property
    def pictures(self) -> list[PictureGroup]:
        """The suite's methods by what can be drawn of them."""
        files = {name: self._suite.method_file(name) for name in self._suite.methods}
        generators = {name: files.pop(name) for name in self._generators}
        return picture_groups(self._places.figures(self.suite), generators, files)

    @cached_property
    def picture_files(self) -> list[str]:
        """Every picture in every format."""
        return [file for group in self.pictures for file in group.files(self._suite.pairs)]

    @cached_property
    def report_files(self) -> list[str]:
        """The page of the suite, and its results as data."""
        return [str(path) for path in report_files(self._places.report(self.suite))]

    @cached_property
    def claim_files(self) -> list[str]:
        """Declared claims; a change of them tests them anew."""
        return [str(path) for path in sorted(CLAIMS_FOLDER.glob("*.yaml"))]

    @cached_property
    def command(self) -> str:
        """The command that makes this suite; where data lie and what is only display is left out."""
        files = [path for file in self._suite.files if (path := file.resolve()) != DEFAULT]
        shown = [str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name) for file in files]
        merged = {key: value for file in self._suite.files for key, value in read_yaml(file).items()}
        changed = {k: v for k, v in self._suite.config.items() if merged.get(k) != v and k not in BESIDE_NUMBERS}
        words = ["snakemake", "--cores", "2", *(["--configfile", *shown] if shown else [])]
        words += ["--config", *(f"{k}={canonical_json(v)}" for k, v in sorted(changed.items()))] if changed else []
        return shlex.join(words)

    def label(self, wildcards: Any) -> str:
        """How readers see a method."""
        return self._suite.label(wildcards.method)

    @property
    def tracked(self) -> str:
        """What the MLflow step writes when it is done."""
        return str(self._places.results / "track" / f"{self.suite}.json")
