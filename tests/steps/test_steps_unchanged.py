"""A change of one cell makes anew only the table that shows it."""

import json

from recollect.steps.tables import make_tables
from recollect.steps.unchanged import Stamps
from recollect.tables import table_paths

HEAD = "scenario,method,seed,metric,value,status,reason\n"


def collected(value):
    rows = [f"little,{m},{k},{metric},{0.5 + k / 10},ok," for m in "ab" for k in (0, 1) for metric in METRICS]
    rows[0] = f"little,a,0,{METRICS[0]},{value},ok,"
    return HEAD + "\n".join(rows) + "\n"


METRICS = ("avg_acc_unweighted", "bwt")


def test_only_the_table_with_a_changed_cell_is_written(tmp_path, suite, places):
    first = suite["tables"][0]
    suite["tables"] = [{**first, "id": "acc"}, {**first, "id": "other", "metrics": ["bwt"]}]
    file = places.collected("s")
    file.parent.mkdir(parents=True, exist_ok=True)

    def made(value):
        file.write_text(collected(value))
        make_tables(suite, places)
        paths = {name: table_paths(name, places.tables("s")) for name in ("acc", "other")}
        return {name: [(p.stat().st_ino, p.read_bytes()) for p in found] for name, found in paths.items()}

    before, same, changed = made(0.5), made(0.5), made(0.6)
    assert before == same
    assert changed["other"] == before["other"]
    assert all(new != old for new, old in zip(changed["acc"], before["acc"], strict=True))
    table_paths("other", places.tables("s"))[0].unlink()
    assert made(0.6)["other"][0][1] == before["other"][0][1]
    suite["confidence"] = 0.9
    assert made(0.6)["other"][0][1] != before["other"][0][1]


def test_damaged_stamps_are_none(tmp_path):
    (tmp_path / "stamps").write_text("{")
    stamps = Stamps(tmp_path / "stamps")
    assert not stamps.unchanged("a", "1", [])
    stamps.save()
    assert set(json.loads((tmp_path / "stamps").read_text())) == {"a"}
    assert Stamps(tmp_path / "stamps").unchanged("a", "1", [])


def test_files_of_another_hand_or_of_a_killed_job_are_made_anew(tmp_path):
    """A job that wrote new files and was killed before `save` must not be taken for the one before it."""
    file = tmp_path / "table"
    file.write_text("old")
    stamps = Stamps(tmp_path / "stamps")
    stamps.unchanged("a", "1", [file])
    stamps.save()
    assert Stamps(tmp_path / "stamps").unchanged("a", "1", [file])
    file.write_text("new")
    assert not Stamps(tmp_path / "stamps").unchanged("a", "1", [file])
    file.write_text("old")
    assert Stamps(tmp_path / "stamps").unchanged("a", "1", [file])
    assert not Stamps(tmp_path / "stamps").unchanged("a", "2", [file])
