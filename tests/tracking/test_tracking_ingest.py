"""Ingest into a real SQLite store: idempotent, replacing, and clear about stores it cannot use."""

import logging
import sqlite3
import sys

import pytest

from recollect.errors import RecollectError
from recollect.tracking import ingest, ui_command
from recollect.tracking.ingest import CELL_TAG, KEY_TAG
from recollect.tracking.store import check_store, shown


def record(seed, **changes):
    base = {"scenario": "digits", "method": "ewc", "seed": seed, "status": "ok", "config": {"lr": 0.1}}
    return base | {"R": [[0.9, None], [0.5, 0.7]]} | changes


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A store with its tables made: MLflow takes seconds for that."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    ingest([], None, f"sqlite:///{path}")
    return path


@pytest.fixture
def store(template, tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(template.read_bytes())
    return f"sqlite:///{path}"


def stored(store):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("recollect")
    return client, {run.data.tags[CELL_TAG]: run for run in client.search_runs([experiment.experiment_id])}


def test_runs_arrive_with_metrics_per_task(store):
    report = ingest([record(0), record(1, status="diverged", reason="at task 2, step 3")], None, store)
    assert (report.created, report.replaced, report.unchanged) == (2, 0, 0)
    client, runs = stored(store)
    good, bad = runs["digits/ewc/seed0"], runs["digits/ewc/seed1"]
    assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
    assert bad.data.tags["recollect.reason"] == "at task 2, step 3"
    assert good.data.params["lr"] == "0.1"
    history = client.get_metric_history(good.info.run_id, "accuracy/task001")
    assert [(point.step, point.value) for point in history] == [(1, 0.9), (2, 0.5)]


def test_again_changes_nothing_and_a_change_replaces_one(store):
    records = [record(seed) for seed in range(3)]
    ingest(records, None, store)
    _, before = stored(store)
    again = ingest(records, None, store)
    assert (again.created, again.replaced, again.unchanged) == (0, 0, 3)
    changed = ingest([record(0), record(1, config={"lr": 0.2}), record(2)], None, store)
    assert (changed.created, changed.replaced, changed.unchanged) == (0, 1, 2)
    _, after = stored(store)
    assert len(after) == 3
    same = [cell for cell in before if before[cell].info.run_id == after[cell].info.run_id]
    assert same == [cell for cell in before if cell != "digits/ewc/seed1"]


def test_an_ingest_that_was_cut_off_is_done_again(store):
    ingest([record(0)], None, store)
    client, runs = stored(store)
    run = runs["digits/ewc/seed0"]
    client.update_run(run.info.run_id, status="RUNNING")
    report = ingest([record(0)], None, store)
    assert (report.created, report.replaced, report.unchanged) == (0, 1, 0)
    _, runs = stored(store)
    assert runs["digits/ewc/seed0"].info.run_id != run.info.run_id
    assert runs["digits/ewc/seed0"].data.tags[KEY_TAG] == run.data.tags[KEY_TAG]


def test_many_values_go_in_batches(store):
    big = record(0, config={f"p{i}": i for i in range(250)}, R=[[0.5] * 45 for _ in range(45)])
    ingest([big], None, store)
    client, runs = stored(store)
    run = runs["digits/ewc/seed0"]
    assert len(run.data.params) == 250 + 3
    assert len(client.get_metric_history(run.info.run_id, "accuracy/task045")) == 45


def test_nothing_is_printed_and_log_levels_are_put_back(template, tmp_path, capfd):
    level = logging.getLogger("mlflow").level
    path = tmp_path / "fresh.db"
    ingest([record(0)], None, f"sqlite:///{path}")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("mlflow").level == level
    assert [entry.name for entry in tmp_path.iterdir()] == ["fresh.db"]


def test_locked_store_is_said(store):
    other = sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RecollectError, match="locked by another process; wait"):
        ingest([record(0)], None, store, timeout_s=0.2)
    other.close()
    assert ingest([record(0)], None, store).created == 1


def test_damaged_store_is_said(tmp_path):
    (tmp_path / "bad.db").write_text("this is no database at all, not in the least" * 50)
    with pytest.raises(RecollectError, match="can be rebuilt: move it away"):
        ingest([record(0)], None, f"sqlite:///{tmp_path / 'bad.db'}")


def test_store_of_another_mlflow_is_said(store):
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    with pytest.raises(RecollectError, match="move it away and ingest again"):
        ingest([record(0)], None, store)


def test_deleted_experiment_is_said(store):
    client, _ = stored(store)
    client.delete_experiment(client.get_experiment_by_name("recollect").experiment_id)
    with pytest.raises(RecollectError, match="was deleted; restore it"):
        ingest([record(0)], None, store)


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "./mlruns", "", "postgresql://u:secret@h/db"])
def test_other_kinds_of_store_are_refused(uri):
    with pytest.raises(RecollectError, match=r"use sqlite:///results/mlflow\.db") as caught:
        check_store(uri)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["sqlite:///", "sqlite:///:memory:"])
def test_sqlite_needs_a_file(uri):
    with pytest.raises(RecollectError, match="names no file"):
        check_store(uri)


def test_silent_server_is_said_at_once():
    with pytest.raises(RecollectError, match="does not answer") as caught:
        check_store("http://user:secret@127.0.0.1:9", timeout_s=1)
    assert "secret" not in str(caught.value)
    assert shown("http://user:secret@host:1/x") == "http://host:1/x"


def test_page_is_for_this_machine_only(store, tmp_path):
    command = ui_command(store, port=5001)
    assert command[:4] == [sys.executable, "-m", "mlflow", "ui"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == store
    with pytest.raises(RecollectError, match="not there yet"):
        ui_command(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(RecollectError, match="its own page"):
        ui_command("http://127.0.0.1:5000")
    with pytest.raises(RecollectError, match="port 0"):
        ui_command(store, port=0)
