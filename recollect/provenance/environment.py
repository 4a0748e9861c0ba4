"""The environment of a run: commit, package versions, device."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from recollect.layout import ROOT

PACKAGES = (
    "torch",
    "torchvision",
    "avalanche-lib",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "torch-fidelity",
)


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


@lru_cache(maxsize=1)
def git_state() -> dict[str, Any]:
    """Commit and whether tracked files differ from it; None where this is no git checkout."""
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": _git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


@lru_cache(maxsize=1)
def commit_date() -> str | None:
    """When the commit of this checkout was made, ISO 8601; None where this is no git checkout."""
    return _git("show", "-s", "--format=%cI", "HEAD") or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def versions() -> dict[str, str | None]:
    """Python and the packages that can change a number."""
    return {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}}


def processor() -> str:
    """Name of the processor as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
