"""The fingerprint changes exactly with the code that determines a number (contract 5)."""

import ast
import os
import shutil

import pytest

from recollect.errors import RecollectError
from recollect.layout import METHOD_FOLDERS, ROOT
from recollect.provenance import fingerprint as module
from recollect.provenance.fingerprint import canonical, code_closure, fingerprint

SOURCE = '''
"""Docstring."""
import torch


class Buffer:
    """Reservoir."""

    size: int = 200

    def add(self, x: "Tensor", share: float = 0.5) -> None:
        """Add."""
        # a comment
        y = x * 2 + self.size
        self.items[0:3] = [y, -1, 1e-3, "text", None, True]
'''

SAME = {
    "comment": ("# a comment", "# another\n        # two lines"),
    "no comment": ("        # a comment\n", ""),
    "module docstring": ('"""Docstring."""', '"""Another\n\ntext."""'),
    "no module docstring": ('"""Docstring."""', ""),
    "class docstring": ('    """Reservoir."""\n', ""),
    "function docstring": ('"""Add."""', '"""Add x.\n\n        Args:\n            x: images.\n        """'),
    "argument annotation": ('x: "Tensor"', "x"),
    "another annotation": ("share: float", "share: int | None"),
    "return annotation": (" -> None", ""),
    "type of a field": ("size: int = 200", "size: float = 200"),
    "parentheses": ("x * 2 + self.size", "(x * 2) + (self.size)"),
    "line breaks": ("[y, -1,", "[\n            y,\n            -1,"),
    "quotes": ('"text"', "'text'"),
    "number notation": ("1e-3", "0.001"),
    "digit grouping": ("200", "2_00"),
    "blank lines": ("\n\nclass", "\n\n\n\nclass"),
}
OTHER = {
    "constant": ("* 2", "* 3"),
    "integer becomes float": ("* 2", "* 2.0"),
    "class attribute": ("= 200", "= 201"),
    "default argument": ("= 0.5", "= 0.6"),
    "no default argument": (" = 0.5", ""),
    "operator": ("x * 2", "x / 2"),
    "order": ("x * 2 + self.size", "x * (2 + self.size)"),
    "sign": ("-1,", "1,"),
    "name": ("self.items", "self.rows"),
    "attribute": ("self.size\n", "self.length\n"),
    "text": ('"text"', '"texts"'),
    "None": ("None, True]", "0, True]"),
    "True": ("None, True]", "None, 1]"),
    "slice": ("[0:3]", "[0:2]"),
    "open slice": ("[0:3]", "[:3]"),
    "import": ("import torch", "import numpy"),
    "import as": ("import torch", "import torch as t"),
    "base class": ("class Buffer:", "class Buffer(list):"),
    "decorator": ("    def add", "    @cached\n    def add"),
    "async": ("    def add", "    async def add"),
    "keyword-only": ("self, x:", "self, *, x:"),
    "statement": ("        y = x", "        x = x\n        y = x"),
}


def tree(edit=None):
    source = SOURCE
    if edit is not None:
        assert source.count(edit[0]) == 1
        source = source.replace(*edit)
    return canonical(ast.parse(source))


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME)
def test_what_a_reader_sees_but_not_the_machine(edit):
    assert tree(edit) == tree()


@pytest.mark.parametrize("edit", OTHER.values(), ids=OTHER)
def test_what_may_change_a_number(edit):
    assert tree(edit) != tree()


def test_every_edit_has_a_form_of_its_own():
    assert len({tree(edit) for edit in OTHER.values()}) == len(OTHER)


# The real tree ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    root = tmp_path_factory.mktemp("house")
    for folder in ("recollect", *METHOD_FOLDERS):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture
def house(copied, monkeypatch):
    """A copy of the library; `house(path, old, new)` edits a file until the test ends."""
    monkeypatch.setattr(module, "ROOT", copied)
    before = {}

    def edit(name, change):
        path = copied / name
        before.setdefault(path, path.read_text() if path.exists() else None)
        path.write_text(change(before[path] or ""))

    edit.root = copied
    yield edit
    for path, text in before.items():
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


def fingerprints(root):
    files = [p for folder in METHOD_FOLDERS for p in sorted((root / folder).glob("*.py")) if p.stem[0] != "_"]
    return {path.stem: fingerprint(path) for path in files}


def changed(house, name, change):
    before = fingerprints(house.root)
    assert len(before) >= 10
    house(name, change)
    return {stem for stem, value in fingerprints(house.root).items() if before.get(stem) != value}


def a_constant(text):
    return text + "\n\nA_NEW_CONSTANT = 1\n"


def test_copy_has_the_fingerprints_of_the_checkout(house, monkeypatch):
    there = fingerprints(house.root)
    monkeypatch.setattr(module, "ROOT", ROOT)
    assert fingerprints(ROOT) == there
    assert len(set(there.values())) == len(there)
    assert all(len(value) == 16 and int(value, 16) >= 0 for value in there.values())


@pytest.mark.parametrize("name", ["lwf", "er", "joint"])
def test_editing_one_method_changes_only_that_method(house, name):
    assert changed(house, f"baselines/{name}.py", a_constant) == {name}


def test_editing_a_number_in_a_method(house):
    def halved(text):
        assert text.count("gamma: float = 1.0") == 1
        return text.replace("gamma: float = 1.0", "gamma: float = 0.5")

    assert changed(house, "baselines/ewc.py", halved) == {"ewc"}


def test_reformatting_a_method_changes_nothing(house):
    assert changed(house, "baselines/ewc.py", lambda text: ast.unparse(ast.parse(text))) == set()
    assert (
        changed(house, "baselines/derpp.py", lambda text: "# comment\n\n" + text.replace("\n\n", "\n\n\n"))
        == set()
    )


@pytest.mark.parametrize("name", ["engine/runner.py", "engine/seeding.py", "models/classifiers.py"])
def test_editing_the_engine_changes_every_method(house, name):
    assert changed(house, f"recollect/{name}", a_constant) == set(fingerprints(house.root))


@pytest.mark.parametrize("name", ["engine/strategy.py", "engine/batches.py"])
def test_editing_the_loop_changes_all_but_the_stock_strategies_that_have_their_own(house, name):
    methods = set(fingerprints(house.root))
    assert changed(house, f"recollect/{name}", a_constant) == {m for m in methods if not m.endswith("_avalanche")}


@pytest.mark.parametrize(
    "name",
    [
        "tables/build.py",
        "tables/metric_info.py",
        "metrics/accuracy.py",
        "stats/bootstrap.py",
        "figures/draw.py",
        "tracking/ingest.py",
        "steps/collect.py",
        "steps/evaluate.py",
        "config/suite.py",
        "provenance/fingerprint.py",
        "engine/progress.py",
        "errors.py",
        "plan/arguments.py",
        "__main__.py",
        "cli/runs.py",
    ],
)
def test_editing_what_comes_after_or_beside_training_changes_nothing(house, name):
    assert changed(house, f"recollect/{name}", a_constant) == set()


def test_shared_module_changes_its_users_only(house):
    users = changed(house, "recollect/engine/fisher.py", a_constant)
    assert "ewc" in users
    assert not {"naive", "lwf", "er"} & users


@pytest.mark.parametrize(
    "line",
    [
        "from methods import _shared\n",
        "from methods._shared import X\n",
        "import methods._shared\n",
        "import methods._shared as s\n",
        "from . import _shared\n",
        "from ._shared import X\n",
        "def f():\n    from methods._shared import X\n",
    ],
)
def test_helper_of_a_method_counts_however_it_is_imported(house, line):
    house("methods/_shared.py", lambda _: "X = 1\n")
    house("methods/user.py", lambda _: line)
    assert changed(house, "methods/_shared.py", lambda _: "X = 2\n") == {"user"}


def test_imports_may_run_in_circles(house):
    house("methods/one.py", lambda _: "import methods.two\n")
    house("methods/two.py", lambda _: "import methods.one\n")
    assert set(code_closure(["methods.one"])) >= {"methods.one", "methods.two"}
    assert changed(house, "methods/two.py", lambda _: "import methods.one\nX = 1\n") == {"one", "two"}


def test_edit_of_the_same_length_at_once_is_seen(house):
    house("methods/one.py", lambda _: "X = 1\n")
    first = fingerprint(house.root / "methods" / "one.py")
    house("methods/one.py", lambda _: "X = 2\n")
    os.utime(house.root / "methods" / "one.py")
    assert fingerprint(house.root / "methods" / "one.py") != first


def test_file_that_is_no_python_is_one_sentence(house):
    house("methods/broken.py", lambda _: "X = 1\ndef f(:\n")
    with pytest.raises(RecollectError, match=r"broken\.py, line 2, is not valid Python: "):
        fingerprint(house.root / "methods" / "broken.py")
