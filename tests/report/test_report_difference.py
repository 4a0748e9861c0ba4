"""Comparing two result sets: planted changes are found, noise is not."""

import io
import math

import numpy as np
import pytest
from scipy import stats

from recollect.errors import RecollectError
from recollect.report.difference import compare_results, counts
from recollect.steps.diff import diff, read_values

ACC = "avg_acc_unweighted"


def cell(method, numbers, metric=ACC, seeds=None):
    return {("s", method, metric): dict(zip(seeds or range(len(numbers)), numbers, strict=True))}


def kind(a, b):
    (found,) = compare_results(a, b)
    return found


def test_every_kind():
    a, b = cell("m", [0.8, 0.82, 0.81]), cell("m", [0.9, 0.92, 0.912])
    assert kind(a, a).kind == "identical"
    changed = kind(a, b)
    assert changed.kind == "changed"
    assert changed.p == pytest.approx(stats.ttest_rel([0.8, 0.82, 0.81], [0.9, 0.92, 0.912]).pvalue)
    assert kind(a, cell("m", [0.79, 0.84, 0.80])).kind == "no change shown"
    assert kind(cell("m", [0.8]), cell("m", [0.9])).kind == "differs, too few seeds to judge"
    assert kind(a, {}).kind == "only in A"
    assert kind({}, a).kind == "only in B"
    assert kind(cell("m", [1.0, 2.0], "wall_s"), cell("m", [3.0, 4.0], "wall_s")).kind == "cost"


def test_other_seeds_are_compared_by_welch():
    x, y = [0.8, 0.82, 0.81], [0.9, 0.92, 0.915, 0.93]
    found = kind(cell("m", x), cell("m", y, seeds=[10, 11, 12, 13]))
    assert found.p == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue)


def test_the_same_shift_in_every_seed_is_no_noise():
    assert kind(cell("m", [0.5, 0.25]), cell("m", [0.75, 0.5])).kind == "changed"


def test_noise_in_a_hundred_cells_is_not_called_a_change_but_one_planted_change_is():
    rng = np.random.default_rng(0)
    a, b = {}, {}
    for i in range(100):
        a |= cell(f"m{i}", rng.normal(0.8, 0.01, 5))
        b |= cell(f"m{i}", rng.normal(0.8, 0.01, 5))
    assert "changed" not in counts(compare_results(a, b))
    b |= cell("m7", list(np.array(list(a["s", "m7", ACC].values())) + 0.2 + rng.normal(0, 0.001, 5)))
    found = compare_results(a, b)
    assert [c.key[1] for c in found if c.kind == "changed"] == ["m7"]
    assert found[0].words.startswith("changed: s / m7 / avg_acc_unweighted: ")


def test_result_sets_in_all_their_forms(finished):
    from recollect.steps.report import report

    report(finished.suite, finished.places)
    results = finished.places.results
    forms = [
        results, results / "collected" / "small.csv", results / "report" / "small",
        results / "report" / "small" / "results.parquet", results / "tables" / "small",
    ]  # fmt: skip
    for form in forms:
        values = read_values(form)
        assert values["split_digits", "er", ACC][0] == pytest.approx(0.7, abs=0.05)
    text = io.StringIO()
    assert diff(forms[0], forms[3], text) == 0
    assert text.getvalue() == "identical: 12; of 12 cells.\n"


@pytest.mark.parametrize("name", ["nothing", "empty", "bad.parquet", "bad.csv"])
def test_bad_input_is_one_sentence(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_text("x")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RecollectError, match=r"name|Parquet"):
        read_values(tmp_path / name)


def test_words_of_an_unknown_metric():
    found = kind({("s", "m", "new"): {0: 1.0, 1: 1.0}}, {("s", "m", "new"): {0: 1.5, 1: 2.0}})
    assert "new: 1 -> 1.75" in found.words
    assert not math.isnan(found.p)
