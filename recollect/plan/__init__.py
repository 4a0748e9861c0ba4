"""What the workflow's rules ask: resources, arguments, inputs and targets of a suite. No Snakemake."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recollect.config.suite import Suite
from recollect.errors import RecollectError
from recollect.plan.arguments import DEFAULT, Arguments
from recollect.plan.inputs_and_targets import InputsAndTargets
from recollect.plan.resources import Resources

__all__ = ["DEFAULT", "Plan"]


def _check_writable(folder: Path) -> None:
    existing = next(path for path in [folder.resolve(), *folder.resolve().parents] if path.exists())
    if not os.access(existing, os.W_OK):
        raise RecollectError(f"{existing} may not be written, results go there: change its permissions")


class Plan(Resources, Arguments, InputsAndTargets):
    """Answers to the rules. Arguments named ``wildcards`` carry ``scenario`` and ``method``."""

    @classmethod
    def from_config(cls, config: dict[str, Any], files: Sequence[str]) -> Plan:
        """Check a configuration and plan it; raises RecollectError with one clear sentence."""
        # Snakemake lists the Snakefile's own configuration last, although the others override it.
        _check_writable(Path("results"))
        own = [file for file in files if Path(file).resolve() == DEFAULT]
        return cls(Suite.load(dict(config), own + [file for file in files if file not in own]))
