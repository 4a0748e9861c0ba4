"""Processor seconds that a training process takes before its first step: imports of engine and method."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from recollect.layout import ROOT

METHODS = ("naive", "adapt_align_vae", "lca", "mmcl")
WITH_TIMM = ("lca",)
"""Methods on backbones of timm, which they load when they build their model."""
TRIES = 3


def _once(method: str) -> tuple[float, float]:
    """CPU seconds and peak MiB of a process that loads what ``python -m recollect train`` does."""
    code = "import recollect.__main__, recollect.steps.train\n"
    code += f"from recollect.engine.loading import load_build; load_build({method!r})\n"
    if method in WITH_TIMM:
        code += "from recollect.engine.lean_import import import_timm; import_timm()"
    # Compiled modules are kept, as `make` keeps them.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"method {method} could not be loaded")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(tries: int = TRIES) -> dict[str, tuple[float, float]]:
    """Method -> median CPU seconds and peak MiB; in turns, after a first process that compiles what is new."""
    _once(METHODS[0])
    found: dict[str, list[tuple[float, float]]] = {method: [] for method in METHODS}
    for _ in range(tries):
        for method in METHODS:
            found[method].append(_once(method))
    return {method: sorted(all_of_it)[tries // 2] for method, all_of_it in found.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
