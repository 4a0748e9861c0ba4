"""The whole workflow on a small suite: what it makes, what reruns, what survives a kill."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workflow_checkout import Checkout

pytestmark = pytest.mark.slow
TABLE = "results/tables/small/accuracy.csv"


def test_small_suite_makes_tables_figures_and_store(finished: Checkout) -> None:
    for suffix in ("csv", "md", "tex", "html", "txt"):
        assert (finished.root / f"results/tables/small/accuracy.{suffix}").stat().st_size > 0
    assert (finished.root / "results/figures/small/overview-split_digits-matrix.png").stat().st_size > 0
    assert (finished.root / "results/mlflow.db").stat().st_size > 0
    page = (finished.root / "results/report/small/index.html").read_text()
    assert 'id="table-accuracy"' in page
    assert "--configfile small.yaml" in page
    for name in ("results.parquet", "ro-crate-metadata.json"):
        assert (finished.root / "results/report/small" / name).stat().st_size > 0
    record = json.loads((finished.root / "results/runs/split_digits/er/seed1/run.json").read_text())
    assert record["status"] == "ok"
    assert record["carried_bytes"][-1] > 0
    for key in ("config", "code_fingerprint", "split_sha256", "data_sha256", "git", "versions", "device", "seed"):
        assert record[key] is not None
    for key in ("wall_s", "device_s", "vram_mb", "ram_mb"):
        assert key in record


def test_inode_budget(finished: Checkout) -> None:
    """docs/scale.md: a run has four inodes of its own and two of Snakemake's, a job two more for its logs."""
    runs = sorted(finished.root.glob("results/runs/*/*/seed*"))
    assert len(runs) == 4
    assert len({path.stat().st_ino for run in runs for path in (run, *run.rglob("*"))}) == 4 * len(runs)
    kept = [base64.urlsafe_b64decode(path.name) for path in finished.root.glob(".snakemake/metadata/*")]
    assert sum(name.startswith(b"results/runs/") for name in kept) == 2 * len(runs)
    jobs = len({run.parent for run in runs})
    assert len(list(finished.root.glob("results/logs/train/*/*/*"))) == 2 * jobs


def test_nothing_reruns_when_nothing_changed(finished: Checkout) -> None:
    assert finished.planned() == {}


def test_reformatting_a_method_reruns_nothing_and_a_number_only_its_jobs(finished: Checkout) -> None:
    path = "recollect/engine/replay.py"  # of the two methods er alone imports it
    original = (finished.root / path).read_text()
    finished.edit(
        path, '"""Cross-entropy over current and stored samples."""', '"""Other words."""\n\n    # and a comment'
    )
    assert finished.planned() == {}
    (finished.root / path).write_text(original)

    finished.edit(path, "self.buffer.draw(self.replay_batch_size)", "self.buffer.draw(self.replay_batch_size + 1)")
    planned = finished.planned()
    (finished.root / path).write_text(original)
    assert planned["train_seeds0-1"] == 1
    assert planned["evaluate"] == 1
    assert "fetch" not in planned
    assert "split_seeds0-1" not in planned


def test_changed_hyper_parameter_retrains_its_method_only(finished: Checkout) -> None:
    overrides = {"naive": {"epochs": 1, "batch_size": 32}, "er": {"epochs": 2, "batch_size": 32}}
    assert finished.planned(config={"overrides": overrides})["train_seeds0-1"] == 1


def test_a_job_for_every_seed(finished: Checkout) -> None:
    planned = finished.planned(config={"seeds": [0, 1, 2], "seeds_per_job": 1})
    assert planned["train"] == 2 * 3
    assert not any(rule.startswith(("train_", "split_")) for rule in planned)


def test_how_often_state_is_saved_and_where_data_lie_retrain_nothing(finished: Checkout, tmp_path: Path) -> None:
    assert finished.planned(config={"checkpoint_minutes": 1, "data_dir": str(tmp_path)}) == {}


def test_deleted_output_comes_back_without_training(finished: Checkout) -> None:
    table = (finished.root / TABLE).read_bytes()
    folder = finished.root / "results/runs/split_digits/er"
    before = (folder / "seed0/run.json").read_text()
    (folder / "seed0/run.json").unlink()
    result = finished.snakemake("results/runs/split_digits/er/seed0/run.json")
    assert result.returncode == 0, result.stderr
    assert (folder / "seed0/run.json").read_text() == before
    log = (finished.root / "results/logs/train/split_digits/er/seeds0-1.log").read_text()
    assert log.count("already finished, kept") == 2
    assert finished.snakemake().returncode == 0
    assert (finished.root / TABLE).read_bytes() == table


def test_a_changed_cell_makes_anew_only_the_table_that_shows_it(finished: Checkout) -> None:
    folder = finished.root / "results/tables/small"
    metrics = finished.root / "results/metrics/split_digits/er.json"
    original = metrics.read_text()

    def files() -> dict[str, tuple[int, bytes]]:
        return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.glob("[!.]*")}

    before = files()
    edited = json.loads(original)
    del edited["seal"]  # as an older version would have left it
    edited["runs"][0]["metrics"]["avg_acc_unweighted"] = 0.125
    metrics.write_text(json.dumps(edited))
    result = finished.snakemake()
    after = files()
    metrics.write_text(original)
    assert result.returncode == 0, result.stderr
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if name.startswith("accuracy")
    }
    assert b"0.125" in after["accuracy.csv"][1]
    assert finished.snakemake().returncode == 0
    assert {name: content for name, (_, content) in files().items()} == {
        name: content for name, (_, content) in before.items()
    }


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_suite_continues_to_the_same_table(finished: Checkout, fresh: Checkout) -> None:
    fresh.configure(checkpoint_minutes=0.001)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "small.yaml"]
    process = subprocess.Popen(
        command, cwd=fresh.root, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    runs = fresh.root / "results/runs/split_digits"
    deadline = time.monotonic() + 120
    while not list(runs.glob("*/seed*/.state")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    _kill_group(process)
    assert not (fresh.root / TABLE).exists()
    fresh.snakemake("--unlock")
    result = fresh.snakemake()
    assert result.returncode == 0, result.stdout + result.stderr
    assert (fresh.root / TABLE).read_bytes() == (finished.root / TABLE).read_bytes()
    assert not list(runs.glob("*/seed*/.state"))
    resumed = [json.loads(p.read_text())["resumed"] for p in runs.glob("*/seed*/run.json")]
    assert sum(resumed) >= 1


def test_diverged_run_is_a_cell_and_a_failure(fresh: Checkout) -> None:
    overrides = {
        "naive": {"epochs": 1, "batch_size": 32, "lr": 1e30},
        "er": {"epochs": 1, "batch_size": 32},
    }
    result = fresh.snakemake(config={"overrides": overrides})
    assert result.returncode != 0
    table = (fresh.root / "results/tables/small/accuracy.md").read_text()
    assert "diverged" in table
    assert "task 0, step" in table
    said = (fresh.root / "results/logs/check/small.log").read_text()
    assert said.startswith("recollect check: 2 runs did not come out")
    assert "Traceback" not in said
    assert (fresh.root / "results/runs/split_digits/er/seed0/run.json").is_file()


def test_one_file_and_one_entry_add_a_method(fresh: Checkout) -> None:
    (fresh.root / "methods/halved.py").write_text(
        '"""Naive with half the loss."""\n\n'
        "from torch import Tensor\n\n"
        "from recollect.engine.settings import Setting\n"
        "from recollect.engine.strategy import Strategy\n\n\n"
        "class Halved(Strategy):\n"
        "    def __init__(self, *, share: float, **arguments) -> None:\n"
        "        super().__init__(**arguments)\n"
        "        self.share = share\n\n"
        "    def training_loss(self) -> Tensor:\n"
        "        return self.share * super().training_loss()\n\n\n"
        "def build(*, setting: Setting, share: float = 0.5) -> Strategy:\n"
        "    return Halved(share=share, **setting.arguments())\n"
    )
    entry = "\nhalved:\n  label: Halved\n  defaults: {lr: 0.1, width: 100, share: 0.25, source: a test}\n"
    methods = fresh.root / "config/methods.yaml"
    methods.write_text(methods.read_text() + entry)
    result = fresh.snakemake(config={"methods": ["naive", "halved"], "overrides": {}, "seeds": [0]})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Halved" in (fresh.root / "results/tables/small/accuracy.md").read_text()


def test_partial_table_says_what_is_missing(fresh: Checkout) -> None:
    first = fresh.snakemake("results/metrics/split_digits/naive.json")
    assert first.returncode == 0, first.stderr
    result = fresh.snakemake("partial")
    assert result.returncode == 0, result.stderr
    assert "not run" in result.stdout
    assert (fresh.root / "results/tables/small_partial/accuracy.md").is_file()
