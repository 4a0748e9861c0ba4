"""What a suite will cost: measured here before committed, unknown said so, and growth on retry."""

import json

import pytest

from recollect import estimates
from recollect.estimates import Estimate, Line, estimate, lines, runtime_minutes, summary
from recollect.steps.places import Places


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A results folder with one finished run of two, and a committed result of another method."""
    kept = tmp_path / "reproduced" / "paper"
    kept.mkdir(parents=True)
    seeds = {"0": {"status": "ok", "train_s": 10.0, "ram_mb": 7.0}, "1": {"status": "failed", "train_s": None}}
    runs = {"toys": {"a": {"seeds": {"0": {"status": "ok", "train_s": 1e6}}}, "b": {"seeds": seeds}}}
    (kept / "provenance.json").write_text(json.dumps({"runs": runs}))
    monkeypatch.setattr(estimates, "_committed", lambda: dict(estimates._kept(kept / "provenance.json")))
    places = Places(tmp_path / "results")
    for seed, size in ((0, 2**20), (1, 2**21)):
        folder = places.run("toys", "a", seed)
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(bytes(size))
    costs = [{"wall_s": 3600.0, "ram_mb": 100.0}, {"wall_s": 1800.0, "ram_mb": 300.0}]
    path = places.metrics("toys", "a")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"runs": [{"seed": k, "costs": cost} for k, cost in enumerate(costs)]}))
    return places


def test_measured_here_counts_before_committed(places):
    assert estimate(places, "toys", "a") == Estimate(3600.0, 300.0, 2.0, str(places.results))
    assert estimate(places, "toys", "b") == Estimate(10.0, 7.0, None, "results/reproduced/paper")
    assert estimate(places, "toys", "c") is None


def test_a_file_without_a_finished_run_says_nothing(places):
    path = places.metrics("toys", "c")
    path.write_text(json.dumps({"runs": [{"seed": 0, "costs": {}}]}))
    assert estimate(places, "toys", "c") is None


@pytest.mark.parametrize(
    ("one", "seeds", "attempt", "minutes"),
    [
        (None, 1, 1, 120),
        (None, 5, 2, 1200),
        (Estimate(60.0, None, None, ""), 1, 1, 4),  # 60 s to start, 1.5 times 60 s, 60 s to stop, rounded up
        (Estimate(60.0, None, None, ""), 4, 1, 8),
        (Estimate(60.0, None, None, ""), 4, 3, 32),
        (Estimate(0.0, None, None, ""), 1, 1, 2),
    ],
)
def test_minutes_asked_for(one, seeds, attempt, minutes):
    assert runtime_minutes(one, seeds, attempt, unknown=120) == minutes


def test_totals_count_what_is_left_and_name_what_is_unknown(places):
    found = lines(places, [("toys", method) for method in "abc"], [[0, 1], [2]], unknown=40)
    assert [(line.method, line.finished, line.left) for line in found] == [("a", 2, 1), ("b", 0, 3), ("c", 0, 3)]
    assert [line.hours for line in found] == [1.0, pytest.approx(30 / 3600), None]
    # a: seed 2 is left, 1.5 hours and two minutes; b and c: both jobs, the longer one with two seeds
    assert [(line.jobs, line.minutes) for line in found] == [(1, 92), (2, 3), (2, 80)]
    text = summary(found, [{"id": "t", "methods": ["a"]}, {"id": "u"}], price=2.5)
    assert "table t: 3 runs, 1 left, 1.0 hours, 2.50 at 2.5 an hour" in text
    assert "table u: 9 runs, 7 left, 1.0 hours and 3 runs of unknown length, 2.52 at 2.5 an hour" in text
    assert text.endswith("never measured, so not in the totals: toys/c\n")
    assert "6.0" in next(row for row in text.splitlines() if row.startswith("toys") and " a " in row), "disk"


def test_a_finished_suite_costs_nothing_more():
    done = [Line("s", "m", 2, 2, None)]
    assert summary(done, [], None).splitlines()[-1] == "all: 2 runs, 0 left, 0.0 hours"


def test_every_committed_result_can_be_read():
    found = estimates._committed()
    assert ("split_mnist", "naive") in found
    assert all(one.train_s > 0 for one in found.values())
