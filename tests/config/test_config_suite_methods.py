"""Methods that run on a scenario of their own: what is run, what tables show, what is refused."""

import pytest

from recollect.config.suite_methods import methods_on, spread
from recollect.errors import RecollectError

TABLE = {"id": "t", "title": "T", "metrics": ["avg_acc_unweighted"]}


def test_plain_names_run_everywhere():
    found = spread({"scenarios": ["a", "b"], "methods": ["x", "y"]}, [])
    assert found["pairs"] == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert (found["scenarios"], found["methods"]) == (["a", "b"], ["x", "y"])


def test_an_entry_runs_on_its_scenario_alone():
    found = spread({"scenarios": ["a"], "methods": ["x", {"b": ["z", "x"]}, "y", {"a": ["w"]}]}, [])
    assert found["pairs"] == [("a", "x"), ("a", "y"), ("a", "w"), ("b", "z"), ("b", "x")]
    assert found["scenarios"] == ["a", "b"]
    assert found["methods"] == ["x", "z", "y", "w"]
    assert found["shared_scenarios"] == ["a"]
    assert methods_on(found, ["a"]) == ["x", "y", "w"]
    assert methods_on(found, ["a", "b"]) == ["x"]


def test_a_suite_resolves_and_its_tables_show_what_ran(load):
    tables = [TABLE, {**TABLE, "id": "u", "scenarios": ["split_digits"]}]
    suite = load(scenarios=["digits_dir5"], methods=["naive", {"split_digits": ["er"]}], tables=tables)
    assert suite.pairs == [("digits_dir5", "naive"), ("split_digits", "er")]
    first, second = suite.tables()
    assert (first["scenarios"], first["methods"]) == (["digits_dir5"], ["naive"])
    assert (second["scenarios"], second["methods"]) == (["split_digits"], ["er"])


def test_a_table_of_scenarios_that_are_not_run_is_left_out(load):
    """`--config methods=[...]` takes away methods with a scenario of their own; their table goes with them."""
    suite = load(methods=["naive", "derpp"])
    assert [table["id"] for table in load().tables()] == [
        "accuracy",
        "generation",
        "cost",
        "pretrained",
        "modalities",
    ]
    assert [table["id"] for table in suite.tables()] == ["accuracy", "cost"]
    assert suite.scenarios == ["split_digits"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"methods": ["naive", {"split_digits": ["naive"]}]}, "has 'naive' on split_digits twice"),
        ({"methods": ["naive", {"split_digit": ["er"]}]}, "unknown scenario 'split_digit'"),
        ({"methods": ["naive", {"split_digits": ["err"]}]}, "unknown method 'err'"),
        ({"methods": ["naive", {"split_digits": []}]}, "methods[1]"),
        ({"tables": [{**TABLE, "scenarios": ["split_digit"]}]}, "did you mean 'split_digits'?"),
        ({"tables": [{**TABLE, "scenarios": ["split_digits", "split_mnist"]}]}, "has 'split_mnist'"),
        (
            {"methods": ["naive", {"digits_dir5": ["er"]}], "tables": [{**TABLE, "methods": ["er"]}]},
            "shows er on split_digits, which the suite does not run: it runs naive there",
        ),
    ],
)
def test_mistakes_are_named(load, changes, says):
    with pytest.raises(RecollectError) as error:
        load(**{"tables": [TABLE], **changes})
    assert says in str(error.value)
    assert "\n" not in str(error.value)
