"""What jobs ask of a scheduler, and how they share what they get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recollect.estimates import runtime_minutes
from recollect.gpu_slots import NEED_MB, SLOTS
from recollect.multimodal.registry import get_tower_spec
from recollect.plan.batch import Batch
from recollect.plan.declared import Declared

PRETRAIN_MINUTES = 240


class Resources(Declared):
    """Memory, minutes, threads and cards of jobs."""

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

    def pretrain_threads(self, wildcards: Any) -> int:
        """Threads of a backbone's training; its recipe says how many."""
        recipe = get_tower_spec(wildcards.backbone).pretraining
        return 1 if recipe is None else recipe.threads

    @property
    def save_every_s(self) -> float:
        """Seconds between saved states within a task."""
        return 60.0 * self._suite.config["checkpoint_minutes"]
