"""A hash of the code that determines a method's numbers (contract 5).

The parsed source of the method file and of every module of this repository that it or the engine imports,
without comments, docstrings, type annotations and layout. Reformatting changes nothing; a changed constant does.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from recollect.errors import RecollectError
from recollect.files import sha256_text
from recollect.layout import METHOD_FOLDERS, MODEL_MODULES, ROOT

PACKAGES = ("recollect", *METHOD_FOLDERS)
ENGINE = "recollect.steps.train"
SPLIT, EVALUATION = "recollect.scenarios.manifest", "recollect.steps.evaluate"
BESIDE_THE_NUMBERS = (
    "recollect.config",
    "recollect.datasets",
    "recollect.engine.cost",
    "recollect.engine.lean_import",
    "recollect.engine.loading",
    "recollect.engine.monitor",
    "recollect.engine.notice",
    "recollect.engine.progress",
    "recollect.engine.record",
    "recollect.errors",
    "recollect.files",
    "recollect.layout",
    "recollect.multimodal.registry",
    "recollect.pretrained.registry",
    "recollect.pretrained.weights",
    "recollect.provenance",
    "recollect.steps.places",
)
"""Modules that cannot change a number: display, bookkeeping, texts; data and weights count by their hashes."""
SPLIT_CODE = "recollect.scenarios.protocols"
"""Beside the numbers of a run, which knows its split by hash; not beside those of the split itself."""
TYPES = ("annotation", "returns", "type_params", "type_comment")
"""Fields of syntax nodes that only type checkers read."""


def _module_file(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that ``from ... import`` names, written from the root of the repository."""
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def _imports(tree: ast.AST, package: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in PACKAGES}


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def canonical(node: object) -> str:
    """A syntax tree as text: no positions, bare strings, types or empty fields (these differ between Pythons)."""
    if isinstance(node, ast.AST):
        fields = [(n, value) for n, value in ast.iter_fields(node) if value not in (None, []) and n not in TYPES]
        return f"{type(node).__name__}({','.join(f'{name}={canonical(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return "[" + ",".join(canonical(item) for item in node if not _is_docstring(item)) + "]"
    return repr(node)


@lru_cache(maxsize=512)
def _parsed(path: Path, stamp: tuple[int, int]) -> tuple[str, frozenset[str]]:
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError as error:
        raise RecollectError(f"{path}, line {error.lineno}, is not valid Python: {error.msg}") from None
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return sha256_text(canonical(tree)), frozenset(_imports(tree, package))


def source_hash(path: Path) -> tuple[str, frozenset[str]]:
    """(hash of the canonical source, names of the repository's modules it imports)."""
    stat = path.stat()
    return _parsed(path, (stat.st_mtime_ns, stat.st_size))


def _within(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def code_closure(start: list[str], beside: Sequence[str] = (*BESIDE_THE_NUMBERS, SPLIT_CODE)) -> dict[str, str]:
    """Module name -> source hash, for ``start`` and all that they import from this repository but ``beside``."""
    found: dict[str, str] = {}
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name in found or _within(name, beside) or (path := _module_file(name)) is None:
            continue
        found[name], imported = source_hash(path)
        waiting.extend(sorted(imported))
    return found


def fingerprint(method_file: Path, model: str = "") -> str:
    """The code fingerprint of a method: engine, method and, if it is a module of its own, model; 16 hex digits."""
    module = ".".join(method_file.relative_to(ROOT).with_suffix("").parts)
    own = [MODEL_MODULES[model]] if model in MODEL_MODULES else []
    return _digest(code_closure([ENGINE, module, *own]))


def split_fingerprint() -> str:
    """The fingerprint of the code that splits data."""
    return _digest(code_closure([SPLIT], BESIDE_THE_NUMBERS))


def evaluation_fingerprint() -> str:
    """The fingerprint of the code that turns predictions into metrics."""
    return _digest(code_closure([EVALUATION]))


def pretraining_fingerprint(module: str = "recollect.pretrained.pretraining") -> str:
    """The fingerprint of the code that trains backbones; their recipes count beside it, one by one."""
    return _digest(code_closure([module]))


def step_fingerprint(module: str) -> str:
    """The fingerprint of a step beside training, by the name of its module."""
    return _digest(code_closure([module]))


def _digest(parts: dict[str, str]) -> str:
    return sha256_text("\n".join(f"{name} {digest}" for name, digest in sorted(parts.items())))[:16]
