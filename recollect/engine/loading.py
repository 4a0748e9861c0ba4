"""Methods are found by file name: ``methods/<name>.py`` or ``baselines/<name>.py`` is the registry."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recollect.errors import RecollectError
from recollect.layout import METHOD_FOLDERS, ROOT


def available() -> list[str]:
    """Names of all method files."""
    return sorted(
        p.stem for folder in METHOD_FOLDERS for p in (ROOT / folder).glob("*.py") if not p.stem.startswith("_")
    )


def find(name: str) -> Path:
    """The file of method ``name``.

    Raises:
        RecollectError: no such file, or one in each folder.
    """
    found = [path for folder in METHOD_FOLDERS if (path := ROOT / folder / f"{name}.py").is_file()]
    if len(found) != 1:
        state = "does not exist" if not found else "exists in both folders"
        raise RecollectError(f"method file {name}.py {state} in methods/ or baselines/: there are {available()}")
    return found[0]


def load_build(name: str) -> Callable[..., Any]:
    """The ``build`` function of method file ``name``, imported."""
    path = find(name)
    return importlib.import_module(f"{path.parent.name}.{name}").build
