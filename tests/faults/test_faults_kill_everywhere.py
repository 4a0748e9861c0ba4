"""The tools of `make faults`: moments everywhere and always the same, a comparison that sees changes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from comparing import MEASURED, made, outdated, with_times, without_times
from moments import RUN, STARTING, STARTS, Moment, draw, due
from snakemake_start import Log

from recollect.steps.evaluate import PHASES as COSTS_OF_PHASES

JOBS = {"fetch": 2, "train_seeds0-4": 17, "collect": 1}
SAID = """Building DAG of jobs...
Job stats:
job                         count
------------------------  -------
fetch                           2
train_seeds0-4                 17
total                          19

[Mon Nov 30 11:46:32 2026]
localrule fetch:
    output: results/data/digits/dataset.json, results/data/digits/train_x.npy
    jobid: 7
tqdm of a job stands between
localrule train_seeds0-4:
    input: a
    output: results/runs/a
    jobid: 9
[Mon Nov 30 11:46:40 2026]
Finished jobid: 7 (Rule: fetch)
1 of 19 steps (5%) done
localrule al"""


def drawn(seed: int, kills: int = 12) -> list[Moment]:
    return draw(JOBS, 85, kills, 2.0, random.Random(seed))


def test_the_same_seed_draws_the_same_moments() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert draw(dict(reversed(JOBS.items())), 85, 12, 2.0, random.Random(1)) == drawn(1)


def test_every_kind_has_its_share_and_no_moment_comes_twice() -> None:
    everything = 2 + 17 + 1 + 85 + STARTS
    for seed in range(20):
        assert {moment.kind for moment in drawn(seed, 5)} == {*JOBS, RUN, STARTING}
        assert len({(m.kind, m.count) for m in drawn(seed, 50)}) == 50
        assert all(0 <= m.delay <= 2 for m in drawn(seed))
    assert len(drawn(0, everything)) == everything
    with pytest.raises(SystemExit, match="has only 110 moments"):
        drawn(0, everything + 1)


def test_moments_come_when_their_thing_was_counted() -> None:
    moments = [Moment("collect", 1, 0), Moment(RUN, 3, 0)]
    assert due(moments, {RUN: 2}) is None
    assert due(moments, {RUN: 4}) == moments[1]


def test_what_snakemake_says_is_understood_also_in_pieces(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    for end in (0, 30, 170, 350, len(SAID)):
        log.path.write_text(SAID[:end])
        log.read()
    assert log.planned == {"fetch": 2, "train_seeds0-4": 17}
    assert log.begun == [("fetch", "results/data/digits/dataset.json"), ("train_seeds0-4", "results/runs/a")]
    assert log.finished == log.begun[:1]
    assert list(log.running.values()) == log.begun[1:]


def test_times_are_exchanged_and_nothing_else() -> None:
    head = ["scenario", "method", "seed", "metric", "value"]
    a = [head, ["s", "m", "0", "wall_s", "1.5"], ["s", "m", "0", "avg_acc", "0.5"]]
    b = [head, ["s", "m", "0", "wall_s", "9.5"], ["s", "m", "0", "avg_acc", "0.6"]]
    assert with_times(a, b) == [head, b[1], a[2]]
    assert without_times(a) != without_times(b)
    assert without_times(a) == without_times([head, b[1], a[2]])


def test_seconds_of_single_phases_are_times_too() -> None:
    """They were once missing from a list, and two runs of the same differed."""
    assert {"wall_s", "device_h", "evaluate_s", "ram_mb", "it_per_s", *COSTS_OF_PHASES} <= MEASURED
    assert not MEASURED & {"carried_bytes", "parameters", "avg_acc_unweighted", "forgetting_max"}


def test_a_changed_digit_of_a_run_or_of_weights_is_seen(tmp_path: Path) -> None:
    run, weights = tmp_path / "results/runs/s/m/seed0", tmp_path / "results/backbones/v"
    for folder in (run, weights):
        folder.mkdir(parents=True)
    (weights / "weights.safetensors").write_bytes(b"abc")
    (run / "run.json").write_text(json.dumps({"stamp": "1", "wall_s": {"train": 1.0}}))
    expected = made(tmp_path)
    (run / "run.json").write_text(json.dumps({"stamp": "1", "wall_s": {"train": 2.0}}))
    assert made(tmp_path) == expected
    (run / "run.json").write_text(json.dumps({"stamp": "2"}))
    assert made(tmp_path) != expected
    (run / "run.json").write_text(json.dumps({"stamp": "1"}))
    (weights / "weights.safetensors").write_bytes(b"abd")
    assert made(tmp_path) != expected


def test_results_that_are_not_there_are_no_measure(tmp_path: Path) -> None:
    from recollect.config.schema import read_yaml
    from recollect.config.suite import Suite
    from recollect.plan import DEFAULT

    suite = Suite.load(read_yaml(DEFAULT), [DEFAULT])
    assert "digits.csv is missing" in outdated(tmp_path, suite, [])


def test_a_killed_group_leaves_nobody_behind(tmp_path: Path) -> None:
    """Also where a grandchild would outlive its parent."""
    script = (
        "import subprocess, sys, time\n"
        "from pathlib import Path\n"
        "from snakemake_start import Log, Start, adopt_orphans\n"
        "adopt_orphans()\n"
        "start = Start.__new__(Start)\n"
        "start.log = Log(Path('log'))\n"
        "start.log.path.write_text('')\n"
        "grandchild = 'echo $$ > pid; while true; do sleep 1; done'\n"
        "child = ['bash', '-c', f'bash -c \"{grandchild}\" & wait']\n"
        "start.process = subprocess.Popen(child, start_new_session=True)\n"
        "while not Path('pid').exists() or not Path('pid').read_text(): time.sleep(0.01)\n"
        "start.kill()\n"
        "print(Path('/proc', Path('pid').read_text().strip()).exists())\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout.strip() == "False", ended.stderr
