"""Quality control: every planted fault is found, named and graded; clean results give nothing."""

from dataclasses import replace

import pandas as pd
import pytest

from recollect.report.quality import ERROR, NOTE, WARNING, check_quality, value_range
from recollect.report.runs import Run
from recollect.report.values import COLUMNS
from recollect.tables import build_table

ACC = "avg_acc_unweighted"
P, R = "precision@lenet_mnist", "recall@lenet_mnist"
METHODS, SEEDS = ["a", "b", "c"], [0, 1, 2]
PLANNED = [("s", m, k) for m in METHODS for k in SEEDS]


def run(method, seed, **changes):
    environment = {"commit": "c0ffee", "uncommitted changes": False, "device": "cpu", "versions": {"torch": "2"}}
    basics = {"code": f"code-{method}", "split": f"split{seed}", "data": ("d",), "settings": {"lr": 0.1}}
    return Run("s", method, seed, "ok", environment=environment, **{**basics, **changes})


RUNS = [run(m, k) for _, m, k in PLANNED]


def rows(metric=ACC, values=None):
    return [("s", m, k, metric, (values or {}).get((m, k), 0.5 + k / 100), "ok", "") for _, m, k in PLANNED]


def frame(entries):
    return pd.DataFrame(entries, columns=list(COLUMNS))


def checked(entries, runs=RUNS, **declared):
    collected = frame(entries)
    declaration = {"id": "t", "title": "T", "scenarios": ["s"], "methods": METHODS, "metrics": [ACC]} | declared
    published = declaration.pop("published", None)
    unique = collected.drop_duplicates(["scenario", "method", "seed", "metric"])
    table = build_table(unique, {**declaration, "expected": PLANNED}, published=published, n_resamples=100)
    return check_quality(collected, {"t": table}, runs, PLANNED)


def test_clean_results_have_no_finding():
    assert checked(rows()) == []


def test_a_planted_missing_seed_is_named_and_seeds_are_unequal():
    found = checked([row for row in rows() if row[1:3] != ("b", 1)])
    assert [(f.grade, f.where) for f in found] == [(WARNING, "s/b"), (WARNING, f"table t, s, {ACC}")]
    assert found[0].what == "not run: seed 1 (no result found)"
    assert "most rest on seeds 0, 1, 2; b on 0, 2" in found[1].what


def test_runs_that_failed_say_where():
    entries = [row for row in rows() if row[1] != "c"]
    entries += [("s", "c", k, "", float("nan"), "diverged", "at task 2, step 118") for k in SEEDS]
    found = checked(entries)
    assert found[0].what == "diverged: seeds 0, 1, 2 (at task 2, step 118)"


def test_a_planted_swap_of_precision_and_recall_is_caught():
    published = pd.DataFrame(
        [("s", "a", P, 0.95, None, "X", R), ("s", "a", R, 0.80, None, "X", P)],
        columns=["scenario", "method", "metric", "value", "std", "source", "exchangeable"],
    )
    right = rows(P, {("a", k): 0.95 for k in SEEDS}) + rows(R, {("a", k): 0.80 for k in SEEDS})
    swapped = rows(R, {("a", k): 0.95 for k in SEEDS}) + rows(P, {("a", k): 0.80 for k in SEEDS})
    options = {"metrics": [P, R], "agreement": {"precision": 0.03, "recall": 0.03}, "published": published}
    assert checked(right, **options) == []
    (found,) = checked(swapped, **options)
    assert (found.grade, found.where) == (WARNING, "table t, s, a")
    assert found.what == f"{P} and {R} agree with the published values only if these are exchanged"


def test_a_planted_mixed_extractor_is_caught():
    judged = [replace(r, extractor=("lenet_mnist", "aaaa")) for r in RUNS]
    assert checked(rows(), judged) == []
    judged[4] = replace(judged[4], extractor=("lenet_mnist", "bbbb"))
    (found,) = checked(rows(), judged)
    assert (found.grade, found.where) == (ERROR, "lenet_mnist")
    assert found.what.endswith("different weights of this extractor (aaaa, bbbb); the odd one out: b seed 1")


@pytest.mark.parametrize(
    ("change", "grade", "words"),
    [
        ({"code": "other"}, ERROR, "different code (fingerprints code-b, other); the odd one out: b seed 1"),
        ({"settings": {"lr": 0.2}}, ERROR, "different settings; the odd one out: b seed 1"),
        ({"split": "other"}, ERROR, "different splits (split1, other); the odd one out: b seed 1"),
        ({"data": ("e",)}, ERROR, "different data (d, e); the odd one out: b seed 1"),
    ],
)
def test_runs_that_do_not_belong_together(change, grade, words):
    runs = [replace(r, **change) if r.key == ("s", "b", 1) else r for r in RUNS]
    (found,) = checked(rows(), runs)
    assert found.grade == grade
    assert words in found.what


@pytest.mark.parametrize(
    ("key", "value", "grade"),
    [
        ("versions", {"torch": "3"}, WARNING),
        ("device", "H200", WARNING),
        ("commit", "badc0de", NOTE),
        ("uncommitted changes", True, NOTE),
    ],
)
def test_mixed_environments(key, value, grade):
    runs = [replace(r, environment={**r.environment, key: value}) if r.seed == 2 else r for r in RUNS]
    (found,) = checked(rows(), runs)
    assert found.grade == grade


@pytest.mark.parametrize(
    ("metric", "value", "caught"),
    [
        (ACC, 1.2, True), (ACC, -0.1, True), (ACC, 1.0, False), ("bwt", -0.9, False), ("bwt", -1.1, True),
        ("forgetting_max", -0.2, True), ("fid@lenet_mnist", -3.0, True), ("kid@lenet_mnist", -0.1, False),
        ("fid_change@lenet_mnist", -5.0, False), ("wall_s", -1.0, True),
    ],
)  # fmt: skip
def test_values_out_of_range(metric, value, caught):
    found = checked(
        [*rows(), ("s", "a", 0, metric, value, "ok", "")] if metric != ACC else rows(ACC, {("a", 0): value})
    )
    errors = [f for f in found if f.grade == ERROR]
    assert bool(errors) == caught
    if caught:
        assert errors[0].where == "s/a seed 0"


def test_duplicates_are_errors_and_come_first():
    found = checked([*rows(), rows()[0]])
    assert (found[0].grade, found[0].what) == (ERROR, f"{ACC} is there twice")


def test_empty_results_are_all_missing():
    found = checked([])
    assert [f.what for f in found] == ["not run: seeds 0, 1, 2 (no result found)"] * 3


def test_range_of_an_unknown_metric_is_open():
    assert value_range("something_else") == (float("-inf"), float("inf"))
