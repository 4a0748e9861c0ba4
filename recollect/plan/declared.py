"""What a suite declares, looked up once however many jobs ask."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from typing import Any

from recollect.config.suite import Suite
from recollect.config.suite_robustness import judged_methods
from recollect.estimates import estimate
from recollect.plan.batch import Batch
from recollect.provenance.fingerprint import fingerprint, step_fingerprint
from recollect.steps.places import Places

BESIDE_TRAINING = ("title", "extractor")


class Declared:
    """A checked configuration as the rules see it.

    Args:
        suite: the configuration.
    """

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._places = Places()
        # Snakemake asks for every job; the answers differ by scenario and method only.
        self._scenario = lru_cache(maxsize=None)(suite.scenario)
        self._code = lru_cache(maxsize=None)(fingerprint)
        self._step_code = lru_cache(maxsize=None)(step_fingerprint)
        self._backbones = lru_cache(maxsize=None)(suite.backbones)
        self._estimate = lru_cache(maxsize=None)(partial(estimate, self._places))

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

    def _trained_on(self, name: str) -> dict[str, Any]:
        """What of a scenario determines the numbers of training: not its title, nor how samples are judged."""
        return {key: value for key, value in self._scenario(name).items() if key not in BESIDE_TRAINING}

    @property
    def _generators(self) -> list[str]:
        return [name for name in self._suite.methods if self._suite.makes(name) == "images"]

    @property
    def robustness_set(self) -> str:
        """Which corrupted images the suite judges on; empty for none."""
        return self._suite.config.get("robustness", {}).get("set", "")

    @property
    def _judged(self) -> list[str]:
        return judged_methods(self._suite.methods, self._suite.makes) if self.robustness_set else []

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
