"""Hyper-parameters are read from the source of `build`, and values are held against its annotations."""

import pytest

from recollect.config.schema import ConfigError
from recollect.config.signature import (
    REQUIRED,
    Parameter,
    build_parameters,
    check_values,
    dataclass_parameters,
)
from recollect.layout import METHOD_FOLDERS, ROOT, SETTINGS_FILE

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", [0, -3, 10**9], [True, False, 1.0, "1", None, [1]]),
        ("float", [0.5, 1, -2], [True, "0.1", "1e-3", None, NAN, INF, -INF, [0.1]]),
        ("str", ["", "a"], [1, None, True]),
        ("bool", [True, False], [0, 1, "true", None]),
        ("int | None", [3, None], [True, 1.5, "None"]),
        ("float | None", [3, 0.5, None], [True, NAN, "3"]),
        ("int | str", [3, "x"], [1.5, None, True]),
        ("Literal['sgd', 'adam']", ["sgd", "adam"], ["SGD", "", None, 0]),
        ("Literal['one']", ["one"], ["on", None]),
        ("Literal[0, 1]", [0, 1], [True, False, 2, 1.0, "1"]),
        ("Literal[False, 2]", [False, 2], [0, True]),
        ("list[int]", [[], [1, 2]], [[1, 0.5], [True], 1, None, "12"]),
        ("list[float]", [[1, 0.5]], [["a"], [NAN], 0.5]),
        ("list[int | None]", [[1, None]], [["a"]]),
    ],
)
def test_annotations(annotation, good, bad):
    parameter = Parameter("x", annotation, REQUIRED)
    assert all(parameter.accepts(value) for value in good)
    assert not any(parameter.accepts(value) for value in bad)


def method(tmp_path, source):
    path = tmp_path / "toy.py"
    path.write_text(source)
    build_parameters.cache_clear()
    return path


def test_keyword_only_arguments_without_the_setting(tmp_path):
    arguments = "*, setting, lam: float, mode: Literal['a', 'b'] = 'a', k: int | None = None, x: float = -1.5"
    source = f"def build({arguments}): ..."
    found = build_parameters(method(tmp_path, source))
    assert found == {
        "lam": Parameter("lam", "float", REQUIRED),
        "mode": Parameter("mode", "Literal['a', 'b']", "a"),
        "k": Parameter("k", "int | None", None),
        "x": Parameter("x", "float", -1.5),
    }


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def build(setting, lam: float): ...", "keyword-only arguments: write def build(*, setting, ...)"),
        ("def build(setting, /, *, lam: float): ...", "keyword-only arguments"),
        ("def built(*, setting): ...", "has no function build: add def build("),
        ("def build(*, setting, lam): ...", "argument 'lam' of build has no type: annotate it, e.g. lam: float"),
        ("def build(*, setting, lam: Tensor): ...", "argument 'lam' of build: annotation 'Tensor' is none of int"),
        ("def build(*, setting, lam: dict[str, int]): ...", "annotation 'dict[str, int]' is none of int"),
        (
            "def build(*, setting, lam: float = LAM): ...",
            "the default LAM of argument 'lam' of build is no plain value",
        ),
        ("def build(*, lam: float): ...", "build must take the setting: write def build(*, setting: Setting"),
        ("def build(*, setting:\n", "line 1, is not valid Python: "),
    ],
)
def test_files_that_are_no_method(tmp_path, source, says):
    path = method(tmp_path, source)
    with pytest.raises(ConfigError) as error:
        build_parameters(path)
    assert str(error.value).startswith(str(path))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_values_name_method_place_and_type():
    parameters = {"lam": Parameter("lam", "float", REQUIRED), "mode": Parameter("mode", "Literal['a']", "a")}
    check_values({"lam": 3, "mode": "a"}, parameters, "method ewc", "here")
    with pytest.raises(ConfigError) as error:
        check_values({"lamm": 3}, parameters, "method ewc", "here")
    assert str(error.value) == (
        "unknown hyper-parameter 'lamm' of method ewc in here: did you mean 'lam'? allowed: lam, mode"
    )
    with pytest.raises(ConfigError) as error:
        check_values({"lam": "3"}, parameters, "method ewc", "here")
    assert str(error.value) == "hyper-parameter lam = '3' of method ewc in here must be float"


def test_training_settings_are_read_without_importing_them():
    found = dataclass_parameters(SETTINGS_FILE, "TrainSettings")
    assert found["batch_size"] == Parameter("batch_size", "int", 32)
    assert found["iterations"].default is None
    assert all(p.default is not REQUIRED and p.accepts(p.default) for p in found.values())
    with pytest.raises(ConfigError, match="has no class Nothing"):
        dataclass_parameters(SETTINGS_FILE, "Nothing")


FILES = [
    p for folder in METHOD_FOLDERS for p in sorted((ROOT / folder).glob("*.py")) if not p.stem.startswith("_")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_defaults_of_every_method_fit_their_own_types(path):
    for parameter in build_parameters(path).values():
        assert parameter.default is REQUIRED or parameter.accepts(parameter.default), parameter
