"""The hyper-parameters of a method: the keyword-only arguments of its ``build``.

Read from the syntax tree, so that a configuration is checked without importing torch.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recollect.config.schema import ConfigError, suggestion

SETTING = "setting"
_SIMPLE: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}
REQUIRED = object()


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: its annotation as written, its choices or types, its default."""

    name: str
    annotation: str
    default: Any

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` fits the annotation (True is not an int, 1 is a float, NaN and infinity are not)."""
        return _fits(ast.parse(self.annotation, mode="eval").body, value)


def _fits(node: ast.expr, value: Any) -> bool:
    if isinstance(node, ast.BinOp):
        return _fits(node.left, value) or _fits(node.right, value)
    if isinstance(node, ast.Constant) and node.value is None:
        return value is None
    if isinstance(node, ast.Name) and node.id in _SIMPLE:
        if isinstance(value, float) and not math.isfinite(value):
            return False
        fits = isinstance(value, _SIMPLE[node.id])
        return fits and (node.id == "bool" or not isinstance(value, bool))
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inner = node.slice
        if node.value.id == "Literal":
            choices = ast.literal_eval(inner if isinstance(inner, ast.Tuple) else ast.List([inner]))
            return any(value == choice and type(value) is type(choice) for choice in choices)
        if node.value.id in ("list", "Sequence"):
            # YAML has lists only; a tuple is the default of a setting, which must not change
            kinds = (list, tuple) if node.value.id == "Sequence" else list
            return isinstance(value, kinds) and all(_fits(inner, item) for item in value)
    raise TypeError(f"annotation {ast.unparse(node)!r} is none of int, float, str, bool, Literal, list, X | None")


def _parameter(path: Path, argument: ast.arg, default: ast.expr | None) -> Parameter:
    if argument.annotation is None:
        raise ConfigError(f"{path}: argument {argument.arg!r} of build has no type: annotate it, e.g. lam: float")
    parameter = Parameter(argument.arg, ast.unparse(argument.annotation), _default(path, argument.arg, default))
    try:
        parameter.accepts(None)
    except TypeError as error:
        raise ConfigError(f"{path}: argument {argument.arg!r} of build: {error}") from None
    return parameter


def _default(path: Path, name: str, default: ast.expr | None) -> Any:
    if default is None:
        return REQUIRED
    try:
        return ast.literal_eval(default)
    except ValueError:
        raise ConfigError(
            f"{path}: the default {ast.unparse(default)} of argument {name!r} of build is no plain value: "
            "write it out, e.g. 0.5"
        ) from None


def _body(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_text()).body
    except SyntaxError as error:
        raise ConfigError(f"{path}, line {error.lineno}, is not valid Python: {error.msg}") from None


@lru_cache(maxsize=256)
def build_parameters(path: Path) -> dict[str, Parameter]:
    """The hyper-parameters of the method in ``path``.

    Raises:
        ConfigError: the file has no ``build`` with keyword-only, annotated arguments.
    """
    for node in _body(path):
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            if node.args.args or node.args.posonlyargs:
                raise ConfigError(
                    f"{path}: build must take keyword-only arguments: write def build(*, setting, ...)"
                )
            if SETTING not in [a.arg for a in node.args.kwonlyargs]:
                raise ConfigError(
                    f"{path}: build must take the setting: write def build(*, setting: Setting, ...)"
                )
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            return {a.arg: _parameter(path, a, d) for a, d in pairs if a.arg != SETTING}
    raise ConfigError(f"{path} has no function build: add def build(*, setting: Setting, ...) -> Strategy")


@lru_cache(maxsize=16)
def dataclass_parameters(path: Path, name: str) -> dict[str, Parameter]:
    """The fields of the dataclass ``name`` in ``path``, as hyper-parameters."""
    for node in _body(path):
        if isinstance(node, ast.ClassDef) and node.name == name:
            fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)]
            return {f.target.id: _field(f) for f in fields}  # type: ignore[union-attr]
    raise ConfigError(f"{path} has no class {name}")


def _field(node: ast.AnnAssign) -> Parameter:
    assert isinstance(node.target, ast.Name)
    default = REQUIRED if node.value is None else ast.literal_eval(node.value)
    return Parameter(node.target.id, ast.unparse(node.annotation), default)


def defines(path: Path, name: str) -> bool:
    """Whether a class in a Python file has a method or property of this name (inherited ones do not count)."""
    classes = [node for node in _body(path) if isinstance(node, ast.ClassDef)]
    return any(isinstance(node, ast.FunctionDef) and node.name == name for c in classes for node in c.body)


def check_values(values: dict[str, Any], parameters: dict[str, Parameter], owner: str, where: str) -> None:
    """Check hyper-parameter values against their annotations.

    Raises:
        ConfigError: an unknown name or a value of the wrong type.
    """
    for name, value in values.items():
        if name not in parameters:
            raise ConfigError(
                f"unknown hyper-parameter {name!r} of {owner} in {where}: {suggestion(name, parameters)}"
            )
        if not parameters[name].accepts(value):
            wanted = parameters[name].annotation
            hint = " (YAML reads 1e-3 as text, write 1.0e-3)" if _is_number_text(value) else ""
            raise ConfigError(f"hyper-parameter {name} = {value!r} of {owner} in {where} must be {wanted}{hint}")


def _is_number_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and "e" in value.lower() and float(value) is not None
    except ValueError:
        return False
