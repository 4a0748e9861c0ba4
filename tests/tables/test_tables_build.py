"""The tidy frame: numbers against the statistics, words for every cell that is not whole."""

import math

import pandas as pd
import pytest
import scipy.stats
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recollect.errors import RecollectError
from recollect.stats import compare_paired, holm, mean_interval
from recollect.tables import build_table, from_csv, to_csv
from recollect.tables.build import COLUMNS


def cell(frame, method, metric="avg_acc_unweighted"):
    return frame[(frame["method"] == method) & (frame["metric"] == metric)].iloc[0]


def test_one_row_per_cell_in_the_order_declared(collected, declaration):
    frame = build_table(collected, declaration)
    assert list(frame.columns) == list(COLUMNS)
    expected = [(m, metric) for m in declaration["methods"] for metric in declaration["metrics"]]
    assert list(zip(frame["method"], frame["metric"], strict=True)) == expected


def test_numbers_are_those_of_the_statistics(collected, declaration):
    row = cell(build_table(collected, declaration, seed=5), "derpp")
    values = {0: 0.85, 1: 0.91, 2: 0.88, 3: 0.87, 4: 0.89}
    boot = mean_interval(values, seed=5)
    assert (row["seeds"], row["values"]) == (list(values), list(values.values()))
    assert (row["mean"], row["ci_low"], row["ci_high"], row["std"]) == (
        boot.mean,
        boot.low,
        boot.high,
        boot.std,
    )
    naive = {0: 0.20, 1: 0.22, 2: 0.18, 3: 0.21, 4: 0.19}
    paired = compare_paired(values, naive, seed=5)
    found = (row["diff_ref"], row["diff_ref_low"], row["diff_ref_high"], row["p_t"], row["effect"])
    assert found == (paired.diff, paired.low, paired.high, paired.p_t, paired.effect)
    assert row["p_t"] == pytest.approx(
        scipy.stats.ttest_rel(list(values.values()), list(naive.values())).pvalue, rel=1e-9
    )


def test_holm_family_is_the_other_methods_of_the_column(collected, declaration):
    frame = build_table(collected, declaration)
    column = frame[(frame["metric"] == "avg_acc_unweighted") & (frame["method"] != "naive")]
    assert len(column) == 5
    pd.testing.assert_series_equal(
        column["p_holm"].reset_index(drop=True), pd.Series(holm(column["p_t"].tolist())), check_names=False
    )
    assert cell(frame, "derpp")["p_holm"] == pytest.approx(5 * cell(frame, "derpp")["p_t"])


def test_partial_cell_counts_its_seeds_and_says_which_is_missing(collected, declaration):
    row = cell(build_table(collected, declaration), "lwf")
    assert (row["status"], row["n_seeds"], row["n_expected"]) == ("partial", 4, 5)
    assert row["reason"] == "4 of 5 seeds; diverged: seed 3 at task 2, step 118"
    assert row["n_pairs"] == 4


def test_failed_and_absent_cells_say_so(collected, declaration):
    frame = build_table(collected, declaration)
    failed, absent = cell(frame, "ewc"), cell(frame, "gr")
    assert (failed["status"], failed["reason"]) == ("failed", "failed: seeds 0, 1, 2, 3, 4: out of memory")
    assert (absent["status"], absent["n_seeds"]) == ("not run", 0)
    assert absent["reason"] == "not run: seeds 0, 1, 2, 3, 4: no result found"
    assert math.isnan(failed["mean"])


def test_a_run_without_that_metric_says_so(collected, declaration):
    row = cell(build_table(collected, declaration), "joint", "forgetting_max")
    assert row["status"] == "no value"
    assert row["reason"] == "no value: seed 0: the run has no forgetting_max"


def test_a_value_that_is_nan_is_left_out_and_said(collected, declaration):
    collected.loc[(collected["method"] == "derpp") & (collected["seed"] == 2), "value"] = math.nan
    row = cell(build_table(collected, declaration), "derpp")
    assert row["n_seeds"] == 4
    assert "no value: seed 2" in row["reason"]


def test_a_seed_that_was_not_planned_is_left_out_and_said(collected, declaration):
    declaration["expected"] = [entry for entry in declaration["expected"] if entry[2] != 4]
    row = cell(build_table(collected, declaration), "derpp")
    assert row["seeds"] == [0, 1, 2, 3]
    assert row["reason"] == "left out, not planned by the suite: seed 4"


def test_without_a_plan_the_seeds_found_are_the_plan(collected, declaration):
    del declaration["expected"]
    frame = build_table(collected, declaration)
    assert cell(frame, "lwf")["n_expected"] == 5
    assert cell(frame, "gr")["reason"] == "not run: no run planned or found"


def test_one_seed_has_no_interval(collected, declaration, published):
    row = cell(build_table(collected, declaration, published=published), "joint")
    assert math.isnan(row["ci_low"])
    assert row["verdict"] == "equal, one seed"


def test_verdicts_and_differences(collected, declaration, published):
    frame = build_table(collected, declaration, published=published)
    verdicts = {m: cell(frame, m)["verdict"] for m in declaration["methods"]}
    assert verdicts == {
        "naive": "worse by 10.00 points",
        "joint": "equal, one seed",
        "derpp": "agrees within interval",
        "lwf": "better by 18.50 points",
        "ewc": "no published value",
        "gr": "no reproduced value",
    }
    assert cell(frame, "naive")["difference"] == pytest.approx(-0.10)
    assert cell(frame, "derpp")["published_std"] == 0.01
    assert cell(frame, "derpp")["published_source"] == "Buzzega et al. 2020, Table 2"


def test_zero_spread_is_never_a_silent_nan(collected, declaration):
    declaration["reference"] = "derpp"
    collected.loc[(collected["method"] == "lwf") & (collected["metric"] == "forgetting_max"), "value"] = 0.4
    row = cell(build_table(collected, declaration), "lwf", "forgetting_max")
    assert row["effect"] == math.inf
    assert "infinite" in row["paired_note"]


@given(st.randoms())
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_row_order_does_not_matter(collected, declaration, random):
    order = list(range(len(collected)))
    random.shuffle(order)
    expected = to_csv(build_table(collected, declaration, n_resamples=500))
    assert to_csv(build_table(collected.iloc[order], declaration, n_resamples=500)) == expected


def test_frame_survives_csv(collected, declaration, published):
    declaration["labels"]["gr"] = "None"
    frame = build_table(collected, declaration, published=published)
    pd.testing.assert_frame_equal(from_csv(to_csv(frame)), frame, check_exact=True, check_dtype=False)


def test_collected_may_come_from_csv(collected, declaration, tmp_path):
    collected.to_csv(tmp_path / "suite.csv", index=False)
    read = pd.read_csv(tmp_path / "suite.csv")
    assert to_csv(build_table(read, declaration)) == to_csv(build_table(collected, declaration))


def test_nothing_collected_is_a_table_of_not_run(collected, declaration):
    frame = build_table(collected.iloc[:0], declaration)
    assert set(frame["status"]) == {"not run"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": ["avg_acc_unweigthed"]}, "Did you mean avg_acc_unweighted"),
        ({"reference": "naiv"}, "reference 'naiv' is not among its methods. Did you mean naive"),
        ({"refrence": "naive"}, "unknown key 'refrence'. Did you mean reference"),
        ({"methods": []}, "'methods' must be a list"),
        ({"methods": ["a", "a"]}, "more than once"),
        ({"id": "../x"}, "'id' names the output files"),
        ({"expected": [("digits", "naive")]}, "(scenario, method, seed)"),
    ],
)
def test_bad_declarations_are_named(collected, declaration, change, words):
    with pytest.raises(RecollectError) as caught:
        build_table(collected, {**declaration, **change})
    assert words in str(caught.value)


def with_row(frame, row):
    return pd.concat([frame, pd.DataFrame([row], columns=frame.columns)], ignore_index=True)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("digits", "naive", 0, "avg_acc_unweighted", 0.2, "ok", ""), "is there twice"),
        (("digits", "naive", 7, "bwt", 0.2, "okay", ""), "unknown status 'okay'"),
        (("digits", "naive", 0, None, math.nan, "failed", "x"), "both 'ok' and 'failed'"),
        (("digits", "naive", "x", "bwt", 0.1, "ok", ""), "seed is not a whole number"),
        (("digits", "naive", 0, "bwt", "high", "ok", ""), "is not a number"),
    ],
)
def test_bad_collected_rows_are_named(collected, declaration, row, words):
    with pytest.raises(RecollectError) as caught:
        build_table(with_row(collected, row), declaration)
    assert words in str(caught.value)
    assert "digits / naive" in str(caught.value)


def test_missing_column_is_named(collected, declaration):
    with pytest.raises(RecollectError, match=r"lacks the column\(s\) status"):
        build_table(collected.drop(columns="status"), declaration)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("digits", "derpp", "avg_acc_unweighted", 0.88, None, ""), "twice"),
        (("digits", "ewc", "avg_acc_unweighted", 88.0, None, ""), "looks like percent"),
        (("digits", "ewc", "avg_acc_unweighted", "good", None, ""), "not a number"),
    ],
)
def test_bad_published_rows_are_named(collected, declaration, published, row, words):
    with pytest.raises(RecollectError, match=words):
        build_table(collected, declaration, published=with_row(published, row))


def remarked(frame, remarks, method="derpp", metric="avg_acc_unweighted"):
    """The frame with a reason on rows that are ok."""
    frame = frame.copy()
    for seed, text in remarks.items():
        mine = (frame["method"] == method) & (frame["metric"] == metric) & (frame["seed"] == seed)
        frame.loc[mine, "reason"] = text
    return frame


def test_a_remark_on_all_seeds_is_a_reason_beside_ok(collected, declaration):
    plain = build_table(collected, declaration)
    frame = build_table(remarked(collected, dict.fromkeys(range(5), "few  samples")), declaration)
    row = cell(frame, "derpp")
    assert (row["status"], row["n_seeds"], row["reason"]) == ("ok", 5, "few samples")
    pd.testing.assert_frame_equal(frame.drop(columns="reason"), plain.drop(columns="reason"))
    assert cell(frame, "derpp", "forgetting_max")["reason"] == ""
    assert cell(frame, "naive")["reason"] == ""


def test_a_remark_on_some_seeds_names_them(collected, declaration):
    frame = build_table(remarked(collected, {1: "few samples", 4: "few samples", 2: "another"}), declaration)
    assert cell(frame, "derpp")["reason"] == "seeds 1, 4: few samples; seed 2: another"


def test_a_remark_joins_the_words_for_missing_seeds(collected, declaration):
    row = cell(build_table(remarked(collected, {0: "few samples"}, "lwf"), declaration), "lwf")
    assert row["status"] == "partial"
    assert row["reason"] == "4 of 5 seeds; diverged: seed 3 at task 2, step 118; seed 0: few samples"


def test_a_remark_does_not_excuse_another_metric(collected, declaration):
    """A run that is ok but has no value for a metric says so, whatever was remarked on its first row."""
    part = collected[~((collected["method"] == "derpp") & (collected["metric"] == "forgetting_max"))]
    frame = build_table(remarked(part, dict.fromkeys(range(5), "few samples")), declaration)
    reason = cell(frame, "derpp", "forgetting_max")["reason"]
    assert reason == "no value: seeds 0, 1, 2, 3, 4: the run has no forgetting_max"
