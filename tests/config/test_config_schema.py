"""A wrong configuration is refused in one sentence that names the key, the file and what is allowed."""

import pytest

from recollect.config.schema import ConfigError, dotted, origin, read_yaml, suggestion, validate


def refused(call, *args, **kwargs):
    with pytest.raises(ConfigError) as error:
        call(*args, **kwargs)
    text = str(error.value)
    assert "\n" not in text
    return text


TABLE = {"id": "t", "title": "T", "metrics": ["bwt"]}


@pytest.mark.parametrize(
    ("changes", "key", "hint"),
    [
        ({"sceds": [0]}, "sceds", "did you mean 'seeds'?"),
        ({"metods": ["naive"]}, "metods", "did you mean 'methods'?"),
        ({"tables": [TABLE, {**TABLE, "id": "u", "metric": []}]}, "tables[1].metric", "did you mean 'metrics'?"),
        ({"mlflow": {"uri": "x", "url": "y"}}, "mlflow.url", "did you mean 'uri'?"),
        ({"zzz": 1, "x": 2}, "x", "allowed: checkpoint_minutes, confidence, data_dir"),
    ],
)
def test_unknown_keys(load, changes, key, hint):
    text = refused(load, **changes)
    assert text.startswith(f"unknown key {key!r} in ")
    assert "changes.yaml: " in text
    assert hint in text
    assert "allowed: " in text


def test_unknown_key_that_is_no_text():
    text = refused(validate, {5: 1, "x": 2, "suite": "s"}, "suite", [])
    assert text.startswith("unknown key '[5]' in the configuration: ")


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("seeds", [0, True], "seeds[1] = True in FILE must be of type integer"),
        ("seeds", [1.0], "seeds[0] = 1.0 in FILE must be of type integer"),
        ("seeds", "0", "seeds = '0' in FILE must be of type array"),
        ("threads_per_job", "2", "threads_per_job = '2' in FILE must be of type integer"),
        ("threads_per_job", True, "threads_per_job = True in FILE must be of type integer"),
        ("confidence", "0.95", "confidence = '0.95' in FILE must be of type number"),
        ("confidence", True, "confidence = True in FILE must be of type number"),
        ("offline", 1, "offline = 1 in FILE must be of type boolean"),
        ("data_dir", 3, "data_dir = 3 in FILE must be of type string or null"),
        ("overrides", {"ewc": 3}, "overrides.ewc = 3 in FILE must be of type object"),
        ("suite", ["a"], "suite = ['a'] in FILE must be of type string"),
    ],
)
def test_wrong_types(load, key, value, wanted):
    text = refused(load, **{key: value})
    before, after = wanted.split("FILE")
    assert text.startswith(before)
    assert text.endswith("changes.yaml" + after)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seeds", []),
        ("seeds", [1, 1]),
        ("seeds", [-1]),
        ("methods", []),
        ("methods", ["naive", "naive"]),
        ("suite", "two words"),
        ("suite", "../up"),
        ("threads_per_job", 0),
        ("confidence", 1.0),
        ("checkpoint_minutes", 0),
        ("tables", []),
    ],
)
def test_values_out_of_range(load, key, value):
    text = refused(load, **{key: value})
    assert text.startswith(key)
    assert "changes.yaml: " in text


@pytest.mark.parametrize("key", ["scenarios", "methods", "seeds", "tables", "mlflow"])
def test_missing_keys(load, key):
    text = refused(load, **{key: None})  # what `--config seeds=` gives; None means: not set
    assert text.startswith(f"'{key}' is missing under (top level) in ")


def test_seven_minutes_may_be_written_as_an_integer(load):
    assert load(checkpoint_minutes=7).config["checkpoint_minutes"] == 7


# Reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1, 2", "is not valid YAML: "),
        (b"a: 1\n b: 2\n", "is not valid YAML: "),
        (b"- 1\n- 2\n", "must hold a mapping of keys to values, it holds list"),
        (b"", "must hold a mapping of keys to values, it holds NoneType"),
        (b"a: \xff\xfe\n", "is not UTF-8 text"),
        (b"!!python/object/apply:os.getcwd []", "is not valid YAML: "),
    ],
)
def test_files_that_are_no_mapping(tmp_path, content, says):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    assert refused(read_yaml, path).startswith(f"{path} {says}")


def test_missing_file_and_folder_in_its_place(tmp_path):
    assert "does not exist: restore it or correct the path" in refused(read_yaml, tmp_path / "no.yaml")
    assert "cannot be read" in refused(read_yaml, tmp_path)


def test_origin_is_the_last_file_that_sets_the_key(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("x: 1\nlist: [{k: 1}, {k: 2}]\n")
    second.write_text("x: 2\nlist: [{k: 3}]\n")
    files = [first, second]
    assert origin(["x"], files) == str(second)
    assert origin(["list", 1, "k"], files) == str(first)
    assert origin(["y"], files) == "--config on the command line"
    assert origin(["y"], []) == "the configuration"
    second.write_text("x: [")
    assert origin(["x"], files) == str(first)


def test_names_and_suggestions():
    assert dotted(["tables", 0, "metrics", 12]) == "tables[0].metrics[12]"
    assert dotted([]) == "(top level)"
    assert suggestion("ewcc", ["naive", "ewc"]) == "did you mean 'ewc'? allowed: naive, ewc"
    assert suggestion("zzz", ["naive", "ewc"]) == "allowed: naive, ewc"
