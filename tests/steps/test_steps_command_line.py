"""The command line: bad input gives status 1 and one line on stderr, never a trace."""

import json
import subprocess
import sys

import pytest

from recollect.__main__ import COMMANDS, main
from recollect.layout import ROOT
from recollect.steps.evaluate import evaluate


@pytest.fixture
def refused(capsys):
    def call(*arguments):
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as error:
            status = error.code
        out, err = capsys.readouterr()
        assert (status, out) == (1, "")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        return err

    return call


BAD_ARGUMENTS = {
    "no step": ([], "recollect: the following arguments are required: STEP"),
    "unknown step": (["trian"], "recollect: argument STEP: invalid choice: 'trian'"),
    "no seeds": (["evaluate", "s", "m"], "recollect evaluate: the following arguments are required: --seeds"),
    "seed no number": (["evaluate", "s", "m", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
    "unknown flag": (["show", "s", "--colour"], "unrecognized arguments: --colour"),
    "no JSON": (["collect", "--suite", "{"], "argument --suite: is not JSON, nor @file with JSON: "),
    "no file": (["collect", "--suite", "@/no/such/file"], "argument --suite: is not JSON, nor @file with JSON: "),
    "JSON but a number": (["tables", "--suite", "5"], "argument --suite: must be a JSON object with suite, "),
    "JSON but a list": (
        ["train", "--spec", "[]", "--seeds", "0"],
        "argument --spec: must be a JSON object with sc",
    ),
    "a flag cut short": (["plan", "--config", "naive"], "argument --config: has 'naive': write key=value"),
    "half a scenario": (
        ["split", "--scenario", '{"id": "x", "protocol": "rotated"}', "--seeds", "0"],
        "argument --scenario: must be a JSON object with id, datasets, protocol; missing: datasets",
    ),
}


@pytest.mark.parametrize(("arguments", "says"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments(refused, arguments, says):
    err = refused(*arguments)
    assert says in err
    assert "--help" in err


def test_missing_files(refused, tmp_path, suite):
    results, suite = ["--results", tmp_path / "none"], json.dumps(suite)
    assert "run.json is missing" in refused("evaluate", "s", "m", "--seeds", "0", *results)
    assert "run the evaluate step again" in refused("collect", "--suite", suite, *results)
    assert "run the collect step first" in refused("tables", "--suite", suite, *results)
    assert "run the collect step first" in refused("check", tmp_path / "none.csv")
    assert "no table in " in refused("show", "s", *results)
    scenario = '{"id": "x", "protocol": "rotated", "datasets": ["digits"], "n_tasks": 2}'
    assert "prepare it first" in refused("split", "--scenario", scenario, "--seeds", "0", *results)


def test_fetch_of_what_does_not_exist(refused, tmp_path):
    results = ["--results", tmp_path / "r"]
    assert "There is no data set 'mnits', did you mean mnist" in refused(
        "fetch", "mnits", "--data-dir", tmp_path, *results
    )
    missing = refused("fetch", "mnist", "--offline", "--data-dir", tmp_path, *results)
    assert str(tmp_path) in missing
    assert "RECOLLECT_DATA" in missing
    assert "is not an existing folder" in refused("fetch", "mnist", "--data-dir", tmp_path / "no", *results)


def test_folder_in_place_of_a_file(refused, tmp_path):
    err = refused("check", tmp_path)
    assert err == f"recollect check: {tmp_path}: Is a directory: correct the path or its permissions\n"


def test_results_that_cannot_be_written(refused, places, made, tmp_path):
    made.run("a", 0)
    (places.results / "metrics").write_text("a file where a folder should be")
    err = refused("evaluate", "little", "a", "--seeds", "0", "--results", places.results)
    assert f"cannot write {places.metrics('little', 'a')}: " in err


def test_steps_by_hand(places, made, suite, capsys):
    for method in suite["methods"]:
        for seed in suite["seeds"]:
            made.run(method, seed)
    results = ["--results", str(places.results)]
    for method in suite["methods"]:
        assert main(["evaluate", "little", method, "--seeds", "0", "1", *results]) == 0
    (places.results / "suite.json").write_text(json.dumps(suite))
    assert main(["collect", "--suite", f"@{places.results / 'suite.json'}", *results]) == 0
    assert main(["check", str(places.collected("s"))]) == 0
    assert main(["tables", "--suite", json.dumps(suite), *results]) == 0
    assert capsys.readouterr().out == ""
    assert main(["show", "s", *results]) == 0
    shown = capsys.readouterr().out
    assert "75.00" in shown
    assert str(places.tables("s")) in shown


def test_partial_tables_leave_the_suite_alone(places, made, suite, capsys):
    made.run("a", 0)
    evaluate("little", "a", [0], places)
    assert main(["partial", "--suite", json.dumps(suite), "--results", str(places.results)]) == 0
    shown = capsys.readouterr().out
    assert "75.00" in shown
    assert "not run" in shown
    assert not places.collected("s").exists()
    assert main(["check", str(places.collected("s_partial"))]) == 1
    assert "3 runs did not come out" in capsys.readouterr().err


def test_plan_takes_settings_as_snakemake_does(capsys):
    assert main(["plan", "--config", "methods=[naive]", "seeds=[3, 4]"]) == 0
    said = capsys.readouterr().out
    assert "naive" in said
    assert "derpp" not in said
    assert "\nall: " in said


def test_plan_with_a_setting_that_does_not_exist(refused):
    assert "unknown key 'colour' in --config on the command line" in refused("plan", "--config", "colour=red")


def test_interrupted_step_says_that_it_continues(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "check", (interrupted, *COMMANDS["check"][1:]))
    assert main(["check", "x"]) == 130
    assert capsys.readouterr().err == "recollect check: interrupted; the same command continues\n"


def test_as_a_program():
    def recollect(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "recollect", *arguments], cwd=ROOT, capture_output=True, text=True
        )

    bad = recollect("check", "no/such.csv")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == "recollect check: no/such.csv is missing: run the collect step first\n"
    bad = recollect("nonsense")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (1, "", 1)
    good = recollect("--help")
    assert good.returncode == 0
    assert all(step in good.stdout for step in COMMANDS)
