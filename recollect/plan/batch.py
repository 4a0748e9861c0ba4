"""Which seeds one job trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
