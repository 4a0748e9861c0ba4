"""Import Avalanche and timm without what they would load and nothing here uses: half the start of a process.

* wandb and torchmetrics, which two metrics use when they are called, qpsolvers, which GEM solves with after it has
  probed for two dozen solvers, gdown, which one data set is downloaded with, and torch's compiler, which
  torchvision asks about one device in one operator: stand-ins that load the real module at the first use.
* jax: should something load qpsolvers meanwhile, it probes for jax too; told that it is absent, it does without.
* torch's compiler once more: the first optimizer would load it, and one of timm's models, only to tell it what not
  to compile. Optimizers are marked by hand; timm's functions tell it when they are first called.

Afterwards all of them import as usual.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any, cast

ABSENT = ("jax",)
STAND_INS: dict[str, tuple[str, ...]] = {
    "wandb": (), "qpsolvers": (), "gdown": (), "torchmetrics": (), "torchmetrics.functional": ("accuracy",),
    "torch._dynamo.utils": ("is_compile_supported",),
}  # fmt: skip
"""Module -> the names that are imported from it."""


class StandIn(ModuleType):
    """A module that is loaded when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # the import system asks for these
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def _late(module: str, name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    return call


def _stand_in(module: str, names: tuple[str, ...]) -> StandIn:
    made = StandIn(module)
    for name in names:
        setattr(made, name, _late(module, name))
    return made


@contextmanager
def without_heavy_modules() -> Iterator[None]:
    """While it lasts, the modules above import as stand-ins or not at all, unless they are loaded already."""
    modules = cast(dict[str, Any], sys.modules)
    put: dict[str, Any] = {
        name: None for name in ABSENT if name not in modules
    }  # the documented way to say absent
    put |= {name: _stand_in(name, names) for name, names in STAND_INS.items() if name not in modules}
    modules.update(put)
    try:
        yield
    finally:
        for name, module in put.items():
            if modules.get(name) is module:
                del modules[name]


def spare_compiler() -> None:
    """Let optimizers work without loading torch's compiler; what it would leave alone it still never sees.

    torch marks some of their methods as not to be compiled when they are first called, which loads the compiler.
    The mark is put here by hand, if this version of torch does it in the way known.
    """
    from torch.optim import Optimizer

    for method in vars(Optimizer).values():
        inner = getattr(method, "__wrapped__", None)
        if inner is not None and getattr(method, "__module__", "") == "torch.optim.optimizer":
            inner.__dict__.setdefault("__dynamo_disable", inner)


def import_avalanche() -> None:
    """Load ``avalanche.training``; does nothing if it is loaded already."""
    if "avalanche" in sys.modules:
        return
    with without_heavy_modules():
        importlib.import_module("avalanche.training")
    spare_compiler()


@contextmanager
def _compiler_told_late() -> Iterator[None]:
    """While it lasts, ``torch.compiler.disable`` keeps to itself what it is told until the function is called."""
    import torch.compiler

    told = torch.compiler.disable

    def disable(function: Any = None, *arguments: Any, **options: Any) -> Any:
        def decorate(inner: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(inner)
            def call(*values: Any, **named: Any) -> Any:
                return told(inner, *arguments, **options)(*values, **named)

            return call

        return decorate if function is None else decorate(function)

    torch.compiler.disable = disable
    try:
        yield
    finally:
        torch.compiler.disable = told


def import_timm() -> None:
    """Load ``timm``; does nothing if it is loaded already."""
    if "timm" in sys.modules:
        return
    with without_heavy_modules(), _compiler_told_late():
        importlib.import_module("timm")
