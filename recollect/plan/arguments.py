"""What jobs are told: settings as JSON, fingerprints of code, command lines."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, lru_cache
from typing import Any

from recollect.config.schema import read_yaml
from recollect.files import canonical_json
from recollect.layout import ROOT
from recollect.multimodal.registry import get_tower_spec, pretraining_module
from recollect.plan.declared import Declared
from recollect.provenance.fingerprint import (
    evaluation_fingerprint,
    pretraining_fingerprint,
    split_fingerprint,
)

DEFAULT = ROOT / "config" / "default.yaml"
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


class Arguments(Declared):
    """Parameters of rules; a change of one makes its outputs anew."""

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

    @property
    def engine_argument(self) -> str:
        """Device and threads of a job as command-line arguments."""
        return f"--device {self._suite.config['device']} --threads {self.threads}"

    def scenario_argument(self, wildcards: Any) -> str:
        """A resolved scenario as JSON."""
        return canonical_json(self._trained_on(wildcards.scenario))

    def judged_scenario_argument(self, wildcards: Any) -> str:
        """A resolved scenario with its extractor, as JSON."""
        extractor = self._scenario(wildcards.scenario)["extractor"]
        return canonical_json({**self._trained_on(wildcards.scenario), "extractor": extractor})

    def train_spec(self, wildcards: Any) -> str:
        """All that determines the numbers of a training job, as JSON; a change of it retrains."""
        return self._spec(wildcards.scenario, wildcards.method)

    @cached_property
    def _spec(self) -> Callable[[str, str], str]:
        return lru_cache(maxsize=None)(self._make_spec)

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

    def pretraining(self, wildcards: Any) -> str:
        """All that determines the weights of a backbone, as JSON; a change of it makes them anew."""
        spec = get_tower_spec(wildcards.backbone)
        module = pretraining_module(spec)
        return canonical_json(
            {"backbone": asdict(spec), "code": pretraining_fingerprint(module) if module else ""}
        )

    def makers(self, what: str) -> str:
        """The suite's methods that are judged by ``answers`` or by ``images``, as a pattern for a wildcard."""
        names = [name for name in self._suite.methods if self._suite.makes(name) == what]
        return "|".join(names) or "(?!)"

    @property
    def suite_argument(self) -> str:
        """What collecting and tabulating need to know, as JSON."""
        return canonical_json(self._summary)

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

    @cached_property
    def split_code(self) -> str:
        """Fingerprint of the splitting code; a change of it splits anew."""
        return split_fingerprint()

    @cached_property
    def evaluation_code(self) -> str:
        """Fingerprint of the evaluation code; a change of it evaluates anew, without training."""
        return evaluation_fingerprint()

    def step_code(self, step: str) -> str:
        """Fingerprint of the code of any other step, a module of recollect.steps; its outputs depend on it."""
        return self._step_code(f"recollect.steps.{step}")
