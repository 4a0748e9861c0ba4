"""Import Avalanche without jax, which it would load and nothing here uses.

qpsolvers, which Avalanche imports for GEM, probes for jax as one of many optional solvers; loading it costs about
two seconds in every process. Told that it is absent, it does without. Afterwards jax imports as usual.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

OPTIONAL = ("jax",)


def import_avalanche() -> None:
    """Load ``avalanche.training``; does nothing if it is loaded already."""
    if "avalanche" in sys.modules:
        return
    absent = [name for name in OPTIONAL if name not in sys.modules]
    for name in absent:
        cast(dict[str, Any], sys.modules)[name] = None  # the documented way to make an import fail
    try:
        importlib.import_module("avalanche.training")
    finally:
        for name in absent:
            del sys.modules[name]
