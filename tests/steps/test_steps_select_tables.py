"""Selecting hyper-parameters on validation data only, and reading the collected frame for tables."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.errors import RecollectError
from recollect.layout import ROOT
from recollect.scenarios.manifest import read_manifest
from recollect.steps.evaluate import stream_labels
from recollect.steps.tables import read_collected, show

DEFAULT = ROOT / "config" / "default.yaml"


@pytest.fixture
def select(monkeypatch):
    """The select step with a training step in whose place a test puts its own: no torch is imported."""
    stand_in = ModuleType("recollect.steps.train")
    stand_in.train = lambda *args, **kwargs: pytest.fail("nothing may be trained here")
    monkeypatch.setitem(sys.modules, "recollect.steps.train", stand_in)
    monkeypatch.delitem(sys.modules, "recollect.steps.select", raising=False)
    import recollect.steps.select as module

    yield module
    monkeypatch.delitem(sys.modules, "recollect.steps.select", raising=False)


def test_grid(select):
    grid = ["lr=0.1,0.03", "lam=1", "mode=online,separate", "iterations=null,5", "squared=true"]
    assert select.parse_grid(grid) == {
        "lr": [0.1, 0.03], "lam": [1], "mode": ["online", "separate"], "iterations": [None, 5], "squared": [True]
    }  # fmt: skip


@pytest.mark.parametrize("entry", ["lr", "lr=", "lr=[", "lr={1"])
def test_grid_that_cannot_be_read(select, entry):
    with pytest.raises(RecollectError) as error:
        select.parse_grid([entry])
    assert str(error.value).startswith(f"--grid {entry!r} ")
    assert "\n" not in str(error.value)


def load(**changes):
    return Suite.load({**read_yaml(DEFAULT), **changes}, [DEFAULT])


def test_seeds_of_a_report_are_refused(select, places):
    with pytest.raises(RecollectError, match=r"seeds \[4, 100\] must differ from the suite's \[0, 1, 2, 3, 4\]"):
        list(select.select(load(), "split_digits", "ewc", {"lam": [1.0]}, [4, 100], places))


def test_scenario_without_validation_is_refused(select, places, monkeypatch):
    monkeypatch.setattr(Suite, "scenario", lambda self, name: {"id": name, "validation": 0.0})
    suite = Suite(read_yaml(DEFAULT), (DEFAULT,))
    with pytest.raises(
        RecollectError, match=r"split_digits holds no validation data out: set validation, e\.g\. 0\.1"
    ):
        list(select.select(suite, "split_digits", "ewc", {}, [100], places))


def test_wrong_name_in_the_grid_is_refused_before_training(select, places):
    with pytest.raises(RecollectError, match="unknown hyper-parameter 'lamm' of method ewc"):
        list(select.select(load(), "split_digits", "ewc", {"lamm": [1.0]}, [100], places))


def test_every_point_is_scored_on_validation_data_alone(select, places, made, monkeypatch):
    """The stand-in answers lam validation images wrongly on seed 100 and one more on seed 101."""
    calls = []

    def train(spec, seeds, mine, *, streams):
        calls.append((spec["method"]["hyper"]["lam"], tuple(seeds), streams))
        assert mine.results != places.results
        for number, seed in enumerate(seeds):
            folder = mine.run(spec["scenario"]["id"], "ewc", seed)
            folder.mkdir(parents=True)
            labels, sizes = stream_labels(
                mine, read_manifest(mine.split(spec["scenario"]["id"], seed)), "validation"
            )
            answers = np.tile(labels, (len(sizes) + 1, 1))
            answers[-1, : int(spec["method"]["hyper"]["lam"]) + number] = 9
            np.savez(folder / "predictions.npz", validation=answers)

    monkeypatch.setattr(select, "train", train)
    monkeypatch.setattr(Suite, "scenario", lambda self, name: {**made.scenario, "id": name})
    suite = Suite(read_yaml(DEFAULT), (DEFAULT,))
    monkeypatch.setattr(Suite, "load", classmethod(lambda cls, config, files: cls(config, tuple(files))))
    found = list(select.select(suite, "split_digits", "ewc", {"lam": [0, 2]}, [100, 101], places))
    # Two tasks of two images: 0 or 1 wrong of four, then 2 or 3 wrong of four.
    assert found == [({"lam": 0}, 0.875, 0.125), ({"lam": 2}, 0.375, 0.125)]
    assert calls == [(0.0, (100, 101), ("validation",)), (2.0, (100, 101), ("validation",))]
    assert not list(places.results.glob("runs/*"))


# Tables -----------------------------------------------------------------------------------------------


def test_missing_and_damaged_frames(tmp_path):
    path = tmp_path / "s.csv"
    with pytest.raises(RecollectError, match=r"s\.csv is missing: run the collect step first"):
        read_collected(path)
    for content in (b"", b'a,b\n"1,2\n', b"a,b\n1,2,3\n4\n1,2,3,4\n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(RecollectError, match=r"s\.csv is damaged \(.*\): delete it and run again"):
            read_collected(path)


def test_reasons_that_look_like_missing_values_stay_text(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("scenario,method,seed,metric,value,status,reason\na,b,0,,,failed,nan\na,b,1,m,0.5,ok,\n")
    frame = read_collected(path)
    assert frame["reason"].tolist() == ["nan", ""]
    assert np.isnan(frame["value"][0])
    assert frame["value"][1] == 0.5
    assert json.loads(frame["seed"].to_json(orient="values")) == [0, 1]


def test_show_prints_what_is_there(tmp_path, capsys):
    with pytest.raises(RecollectError, match=r"no table in .*: run snakemake"):
        show(tmp_path, sys.stdout)
    (tmp_path / "b.txt").write_text("table b\n")
    (tmp_path / "a.txt").write_text("table a\n\n")
    show(tmp_path, sys.stdout)
    shown = capsys.readouterr().out
    assert shown == f"table a\n\ntable b\n\nTables as CSV, Markdown, LaTeX and HTML: {tmp_path}\n"
