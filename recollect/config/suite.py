"""A suite: which scenarios, methods and seeds are run and which tables they fill. Checked in one place.

Reads YAML and syntax trees only, so that planning ten thousand runs costs no import of torch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from recollect.config.published import Published
from recollect.config.schema import ConfigError, origin, read_yaml, suggestion, validate
from recollect.config.signature import (
    REQUIRED,
    Parameter,
    build_parameters,
    check_values,
    dataclass_parameters,
)
from recollect.config.suite_backbones import check_backbone
from recollect.config.suite_extractors import check_extractor
from recollect.config.suite_methods import Pair, spread
from recollect.config.suite_modalities import check_method, check_modalities
from recollect.config.suite_robustness import check_robustness
from recollect.config.suite_tables import check_published, check_tables, complete_table, is_left_out
from recollect.config.suite_towers import check_domains, check_towers
from recollect.layout import METHOD_FOLDERS, MODEL_MODULES, ROOT, SETTINGS_FILE
from recollect.multimodal.registry import get_tower_spec, never_trained, tower_names
from recollect.scenarios.manifest import OPTIONS

METHODS_FILE = ROOT / "config" / "methods.yaml"
SCENARIOS_FILE = ROOT / "config" / "scenarios.yaml"
_SCENARIO_KEYS = {
    "title", "datasets", "protocol", "labels", "validation", "evaluate_on", "heldout", "extractor", "store_model",
    "skip_unreadable", "absent_modalities",
}  # fmt: skip


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


@dataclass(frozen=True)
class Suite:
    """A checked configuration.

    Args:
        config: merged values, as Snakemake hands them over.
        files: configuration files in the order in which they were applied.

    Raises:
        ConfigError: at construction through :meth:`load`, for anything that could not be run.
    """

    config: dict[str, Any]
    files: tuple[Path, ...]

    @classmethod
    def load(cls, config: dict[str, Any], files: Sequence[str | Path]) -> Suite:
        """Check everything that can be checked before a job starts."""
        given = {k: _numbers_of_command_line(v) for k, v in config.items() if v is not None}
        suite = cls(given, tuple(Path(f) for f in files))
        validate(suite.config, "suite", suite.files)
        for name in suite.scenarios:
            suite.scenario(name)
        for scenario, method in suite.pairs:
            check_method(suite.method(method, scenario), suite.scenario(scenario))
            suite._check_backbone(method, scenario)
        suite._check_overrides()
        suite._check_extractors()
        check_robustness(suite._spread, suite.files, suite.scenario, suite.makes)
        check_tables(suite._spread, suite.files, suite._scenarios)
        if suite._published is not None:
            check_published(suite._spread, suite.files, suite._published, suite._methods, suite._scenarios)
        return suite

    # Simple values -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Identifier of the suite: the name of its tables' folder."""
        return self.config["suite"]

    @property
    def seeds(self) -> list[int]:
        """Seeds, each of which gives a split, an initialisation and a run."""
        return self.config["seeds"]

    @cached_property
    def _spread(self) -> dict[str, Any]:
        return spread(self.config, self.files)

    @property
    def scenarios(self) -> list[str]:
        """All scenarios."""
        return self._spread["scenarios"]

    @property
    def methods(self) -> list[str]:
        """All methods, those that run on some of the scenarios only too."""
        return self._spread["methods"]

    @property
    def pairs(self) -> list[Pair]:
        """(scenario, method) of everything that is run, scenario by scenario."""
        return self._spread["pairs"]

    @property
    def data_dir(self) -> str:
        """Where data sets are looked for: the configuration, else RECOLLECT_DATA, else ``data``."""
        return str(self.config.get("data_dir") or os.environ.get("RECOLLECT_DATA") or "data")

    def seed_batches(self) -> list[list[int]]:
        """Seeds that share one process, ``seeds_per_job`` at a time."""
        size = self.config["seeds_per_job"]
        return [self.seeds[i : i + size] for i in range(0, len(self.seeds), size)]

    # Scenarios -----------------------------------------------------------------------------------

    @cached_property
    def _scenarios(self) -> dict[str, Any]:
        entries = read_yaml(SCENARIOS_FILE)
        validate(entries, "scenarios", [SCENARIOS_FILE])
        return entries

    def scenario(self, name: str) -> dict[str, Any]:
        """A scenario by name, with its id.

        Raises:
            ConfigError: unknown name, a key its protocol does not use, or an impossible split.
        """
        entry = self._entry(self._scenarios, "scenarios", name, SCENARIOS_FILE)
        where = f"scenario {name} in {_relative(SCENARIOS_FILE)}"
        allowed = OPTIONS[entry["protocol"]] | _SCENARIO_KEYS
        for key in entry:
            if key not in allowed:
                raise ConfigError(
                    f"key {key!r} means nothing to protocol {entry['protocol']} of {where}: "
                    f"{suggestion(key, sorted(allowed))}"
                )
        for key in ("n_tasks", "alpha", "domains"):
            if key in OPTIONS[entry["protocol"]] and key not in entry:
                raise ConfigError(f"{key} is missing in {where}: protocol {entry['protocol']} needs it")
        self._check_split(entry, where)
        return {"id": name, **entry}

    def _check_split(self, entry: dict[str, Any], where: str) -> None:
        from recollect.datasets import DATASETS
        from recollect.scenarios.protocols import Shares, SplitError, bin_groups, order_classes, task_sizes

        for dataset in entry["datasets"]:
            if dataset not in DATASETS:
                raise ConfigError(f"unknown data set {dataset!r} in {where}: {suggestion(dataset, DATASETS)}")
            check_modalities(dataset, entry, where)
            if not DATASETS[dataset].has_test and entry.get("evaluate_on", "test") == "test":
                raise ConfigError(
                    f"data set {dataset} of {where} has no test images: add evaluate_on: training, or "
                    "evaluate_on: heldout with heldout: 0.3"
                )
        check_domains(entry, where)
        counts = [DATASETS[d].n_classes for d in entry["datasets"]]
        n_classes = max(counts) if entry.get("labels") == "shared" else sum(counts)
        options = {k: entry[k] for k in ("first_task_classes", "classes_per_task", "drop_remainder") if k in entry}
        try:
            Shares.of(entry)
            if entry["protocol"] in ("class-incremental", "task-incremental"):
                order = order_classes(n_classes, entry.get("class_order", "fixed"), seed=0)
                task_sizes(len(order), entry["n_tasks"], **options)
            if entry["protocol"] == "ordered-continuous":
                bin_groups(n_classes, entry["n_tasks"])
                if len(entry["datasets"]) > 1:
                    raise SplitError(
                        "protocol ordered-continuous orders the bins of one variable: name one data set"
                    )
        except SplitError as error:
            raise ConfigError(f"{where}: {error}") from None

    # Methods -------------------------------------------------------------------------------------

    @cached_property
    def _methods(self) -> dict[str, Any]:
        from recollect.datasets import DATASETS

        entries = read_yaml(METHODS_FILE)
        validate(entries, "methods", [METHODS_FILE])
        for name, entry in entries.items():
            for layer, known in (("datasets", DATASETS), ("scenarios", self._scenarios)):
                for key in entry.get(layer, {}):
                    if key not in known:
                        where = f"'{name}.{layer}.{key}' in {_relative(METHODS_FILE)}"
                        raise ConfigError(f"unknown key {where}: {suggestion(key, known)}")
        return entries

    def _entry(self, entries: dict[str, Any], key: str, name: str, path: Path) -> dict[str, Any]:
        if name in entries:
            return entries[name]
        index = self.config[key].index(name) if name in self.config[key] else 0
        where = origin([key, index], self.files)
        raise ConfigError(
            f"unknown {key[:-1]} {name!r} in {where}: {suggestion(name, sorted(entries))}; "
            f"entries stand in {_relative(path)}"
        )

    def method_file(self, name: str) -> Path:
        """The Python file of a method entry: its ``file`` key, else the file of its name."""
        stem = self._entry(self._methods, "methods", name, METHODS_FILE).get("file", name)
        found = [p for folder in METHOD_FOLDERS if (p := ROOT / folder / f"{stem}.py").is_file()]
        if len(found) == 1:
            return found[0]
        stems = [p.stem for folder in METHOD_FOLDERS for p in (ROOT / folder).glob("*.py")]
        raise ConfigError(
            f"method {name} in {_relative(METHODS_FILE)} needs exactly one file methods/{stem}.py or "
            f"baselines/{stem}.py, found {len(found)}: {suggestion(stem, sorted(stems))}"
        )

    def method(self, name: str, scenario: str) -> dict[str, Any]:
        """Resolved settings of a method on a scenario: entry defaults < data set < scenario < overrides.

        Returns:
            ``{"id", "label", "file", "train": {...}, "hyper": {...}}``, complete and checked.
        """
        entry = self._entry(self._methods, "methods", name, METHODS_FILE)
        path = self.method_file(name)
        train, hyper = dataclass_parameters(SETTINGS_FILE, "TrainSettings"), build_parameters(path)
        if both := set(train) & set(hyper):
            raise ConfigError(
                f"{_relative(path)}: argument {sorted(both)[0]!r} of build is a training setting too, one value "
                "would feed both: rename the argument"
            )
        values: dict[str, Any] = {}
        for where, layer in self._layers(name, entry, scenario):
            layer = {key: value for key, value in layer.items() if key != "source"}
            check_values(layer, {**train, **hyper}, f"method {name}", where)
            values.update(layer)
        if "lr" not in values:
            raise ConfigError(
                f"method {name} has no learning rate for scenario {scenario}: a number needs settings with a "
                f"source, add datasets or scenarios to {name} in {_relative(METHODS_FILE)}, or overrides.{name}"
            )
        return {
            "id": name,
            "file": path.stem,
            "train": _complete(train, values, name),
            "hyper": _complete(hyper, values, name),
        }

    def _layers(self, name: str, entry: dict[str, Any], scenario: str) -> list[tuple[str, dict[str, Any]]]:
        file = _relative(METHODS_FILE)
        layers = [(f"{file} (defaults)", entry.get("defaults", {}))]
        for dataset in self._scenarios[scenario]["datasets"] if scenario in self._scenarios else []:
            layers.append((f"{file} (datasets.{dataset})", entry.get("datasets", {}).get(dataset, {})))
        layers.append((f"{file} (scenarios.{scenario})", entry.get("scenarios", {}).get(scenario, {})))
        if override := self.config.get("overrides", {}).get(name):
            # The files are read again for its place: only where there is one to be named.
            layers.append((f"overrides.{name} in {origin(['overrides', name], self.files)}", override))
        return layers

    def backbones(self, name: str, scenario: str) -> list[str]:
        """The pre-trained backbones that a method uses on a scenario and whose weights are files."""
        method = self.method(name, scenario)
        hyper, towers = method["hyper"], tower_names(method["train"]["mm_towers"])
        own = [hyper["backbone"]] if hyper.get("pretrained") and "backbone" in hyper else []
        return own + sorted({tower for tower in towers.values() if not never_trained(get_tower_spec(tower))})

    def _check_backbone(self, name: str, scenario: str) -> None:
        owner, method = f"method {name} in {_relative(METHODS_FILE)}", self.method(name, scenario)
        if method["train"]["model"] in MODEL_MODULES or method["train"]["mm_towers"]:
            check_towers(method["train"], self.scenario(scenario), owner)
            return
        for backbone in self.backbones(name, scenario):
            check_backbone(backbone, self.scenario(scenario), owner)

    def makes(self, name: str) -> str:
        """What a method is judged by: its ``answers`` on test images, or the ``images`` that it generates."""
        return self._entry(self._methods, "methods", name, METHODS_FILE).get("makes", "answers")

    def _check_extractors(self) -> None:
        for name, method in self.pairs:
            if self.makes(method) == "images":
                check_extractor(self.scenario(name), f"scenario {name} in {_relative(SCENARIOS_FILE)}", method)

    def label(self, name: str) -> str:
        """How tables call a method."""
        return self._methods[name].get("label", name)

    # Overrides and tables ------------------------------------------------------------------------

    def _check_overrides(self) -> None:
        for name in self.config.get("overrides", {}):
            if name not in self._methods:
                where = origin(["overrides", name], self.files)
                raise ConfigError(f"overrides.{name} in {where}: {suggestion(name, sorted(self._methods))}")

    def tables(self) -> list[dict[str, Any]]:
        """Table declarations, completed with the suite's scenarios, methods and labels."""
        tables = [t for t in self.config["tables"] if not is_left_out(t, self._spread, self._scenarios)]
        complete = [complete_table(t, self._spread, self.label, self.makes, self._published) for t in tables]
        # One that is for answers or images only, in a suite without such methods, has no rows.
        return [table for table in complete if table["methods"]]

    @cached_property
    def _published(self) -> Published | None:
        """Published numbers, if a table asks for some."""
        asked = any("published" in table for table in self.config["tables"])
        return Published.load() if asked else None


def _numbers_of_command_line(value: Any) -> Any:
    """Snakemake leaves the numbers of a list given as ``--config 'seeds=[0, 1]'`` as text."""
    if not isinstance(value, list):
        return value
    return [int(item) if isinstance(item, str) and item.isdecimal() else item for item in value]


def _complete(parameters: dict[str, Parameter], values: dict[str, Any], method: str) -> dict[str, Any]:
    chosen = {name: values.get(name, parameter.default) for name, parameter in parameters.items()}
    missing = [name for name, value in chosen.items() if value is REQUIRED]
    if missing:
        raise ConfigError(f"method {method} needs a value for {', '.join(missing)} in {_relative(METHODS_FILE)}")
    return {name: _one_number(parameters[name].annotation, value) for name, value in chosen.items()}


def _one_number(annotation: str, value: Any) -> Any:
    """1 and 1.0 are one number and must give one hash."""
    return float(value) if type(value) is int and annotation in ("float", "float | None") else value
