"""Claims on hand-made values: every kind, every outcome."""

import math

import pytest
from scipy import stats

from recollect.config.claims import Claim, load_claims
from recollect.config.schema import ConfigError, read_yaml
from recollect.layout import ROOT
from recollect.report import claims as under_test
from recollect.report.claims import CANNOT_TELL, FAILS, HOLDS

ACC, FID = "avg_acc_unweighted", "fid@lenet_mnist"


def claim(kind="ordering", **changes):
    basics = {"id": "c", "paper": "P", "says": "S", "source": "X", "scenarios": ("s",), "metric": ACC}
    return Claim(kind=kind, **{**basics, **changes})


def judged(one, values, carried=None):
    return under_test.test_claim(one, values, carried or {})


def cell(method, numbers, metric=ACC, scenario="s"):
    return {(scenario, method, metric): dict(enumerate(numbers))}


GOOD = cell("a", [0.90, 0.92, 0.91, 0.93]) | cell("b", [0.80, 0.83, 0.80, 0.84])


def test_an_ordering_holds_and_its_reverse_fails():
    found = judged(claim(order=("a", "b")), GOOD)
    assert found.outcome == HOLDS
    assert found.parts[0].estimate == pytest.approx(0.0975)
    expected = stats.ttest_rel([0.90, 0.92, 0.91, 0.93], [0.80, 0.83, 0.80, 0.84])
    assert found.parts[0].p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.parts[0].low, found.parts[0].high) == pytest.approx((interval.low, interval.high))
    assert found.runs == (("s", "a", (0, 1, 2, 3)), ("s", "b", (0, 1, 2, 3)))
    assert judged(claim(order=("b", "a")), GOOD).outcome == FAILS


def test_lower_is_better_for_distances_and_the_extractor_is_found():
    values = cell("a", [9.0, 10.0, 9.5], FID) | cell("b", [20.0, 22.0, 21.5], FID)
    assert judged(claim(order=("a", "b"), metric="fid"), values).outcome == HOLDS
    assert judged(claim(order=("b", "a"), metric="fid"), values).outcome == FAILS


def test_two_extractors_on_one_scenario_are_never_compared():
    values = cell("a", [9.0, 10.0, 9.5], FID) | cell("b", [20.0, 22.0, 21.5], "fid@inception")
    found = judged(claim(order=("a", "b"), metric="fid"), values)
    assert found.outcome == CANNOT_TELL
    assert "no single fid" in found.why


def test_too_few_seeds_say_how_many_more():
    # Differences 1, -1, 3 points: mean 1, sd 2, d = 0.5: 34 pairs for 80 % power, 3 are there.
    values = cell("a", [0.51, 0.49, 0.53]) | cell("b", [0.50, 0.50, 0.50])
    found = judged(claim(order=("a", "b")), values)
    assert (found.outcome, found.more_seeds) == (CANNOT_TELL, 31)


def test_one_seed_and_no_run_cannot_tell():
    values = cell("a", [0.9]) | cell("b", [0.1])
    found = judged(claim(order=("a", "b")), values)
    assert (found.outcome, found.why) == (CANNOT_TELL, "one common seed: no spread is known")
    found = judged(claim(order=("a", "c")), values)
    assert (found.outcome, found.why, found.more_seeds) == (CANNOT_TELL, "not run: c on s", None)


def test_every_scenario_counts_and_missing_ones_are_in_the_family():
    one = claim(order=("a", "b"), scenarios=("s", "t", "u"))
    elsewhere = cell("a", [0.90, 0.92, 0.91, 0.93], scenario="t") | cell("b", [0.8, 0.83, 0.8, 0.84], scenario="t")
    found = judged(one, GOOD | elsewhere)
    assert found.outcome == CANNOT_TELL
    assert found.why.startswith("holds in 2 of 3, cannot tell yet in 1 of 3: not run: a on u, b on u")
    single = judged(claim(order=("a", "b")), GOOD).parts[0].p
    assert found.parts[0].p == pytest.approx(3 * single)
    reversed_there = {(k[0], "b" if k[1] == "a" else "a", k[2]): v for k, v in elsewhere.items()}
    assert judged(one, GOOD | reversed_there).outcome == FAILS


def test_where_run_leaves_out_scenarios_without_runs():
    found = judged(claim(order=("a", "b"), scenarios=("s", "t"), where_run=True), GOOD)
    assert (found.outcome, len(found.parts)) == (HOLDS, 1)
    found = judged(claim(order=("a", "c"), scenarios=("s", "t"), where_run=True), GOOD)
    assert (found.outcome, len(found.parts)) == (CANNOT_TELL, 2)


def test_a_margin_is_counted_towards_the_better_side():
    assert judged(claim("difference", method="a", against="b", at_least=0.05), GOOD).outcome == HOLDS
    assert judged(claim("difference", method="a", against="b", at_least=0.2), GOOD).outcome == FAILS
    values = cell("a", [30.0, 32.0, 31.0], FID) | cell("b", [250.0, 255.0, 252.0], FID)
    share = {"method": "a", "against": "b", "metric": "fid"}
    assert judged(claim("difference", at_least_share=0.85, **share), values).outcome == HOLDS
    assert judged(claim("difference", at_least_share=0.90, **share), values).outcome == FAILS


def test_an_average_needs_all_scenarios():
    one = claim("difference", method="a", against="b", average=True, scenarios=("s", "t"))
    assert judged(one, GOOD).outcome == CANNOT_TELL
    worse = cell("a", [0.70, 0.72, 0.71, 0.73], scenario="t") | cell("b", [0.8, 0.83, 0.8, 0.84], scenario="t")
    found = judged(one, GOOD | worse)
    assert found.parts[0].estimate == pytest.approx((0.0975 - 0.1025) / 2)


def test_equality_needs_power_and_is_never_given_for_want_of_it():
    one = claim("equals", method="a", value=0.91, tolerance=0.03)
    assert judged(one, cell("a", [0.90, 0.92, 0.91, 0.91])).outcome == HOLDS
    found = judged(one, cell("a", [0.80, 0.99, 0.91]))
    assert found.outcome == CANNOT_TELL
    assert found.more_seeds > 5
    assert judged(one, cell("a", [0.70, 0.71, 0.72])).outcome == FAILS
    assert judged(one, cell("a", [0.91])).outcome == CANNOT_TELL


def test_a_difference_of_a_published_size():
    one = claim("equals", method="a", against="b", value=0.0975, tolerance=0.03)
    assert judged(one, GOOD).outcome == HOLDS
    assert judged(claim("equals", method="a", against="b", value=0.2, tolerance=0.03), GOOD).outcome == FAILS


def test_constant_memory():
    one = claim("constant", method="a", quantity="carried_bytes", tolerance=0.01)
    assert judged(one, {}, {("s", "a"): {0: [100, 100, 100]}}).outcome == HOLDS
    assert judged(one, {}, {("s", "a"): {0: [1000, 1005, 1010]}}).outcome == HOLDS
    found = judged(one, {}, {("s", "a"): {0: [100, 200, 300]}})
    assert (found.outcome, found.parts[0].why) == (FAILS, "100 to 300 bytes")
    assert judged(one, {}, {}).outcome == CANNOT_TELL


def test_seeds_that_differ_always_by_the_same_amount():
    values = cell("a", [0.5, 0.6]) | cell("b", [0.25, 0.35])
    assert judged(claim(order=("a", "b")), values).outcome == HOLDS
    assert judged(claim(order=("a", "b")), cell("a", [0.5, 0.6]) | cell("b", [0.5, 0.6])).outcome == CANNOT_TELL


# Declarations ---------------------------------------------------------------------------------------------------


def test_declared_claims_name_only_what_there_is_or_what_is_planned():
    methods, scenarios = (read_yaml(ROOT / "config" / f"{name}.yaml") for name in ("methods", "scenarios"))
    claims = load_claims(methods, scenarios)
    assert {one.kind for one in claims} == {"difference", "ordering", "constant", "equals"}
    found = [judged(one, {}) for one in claims]
    assert {one.outcome for one in found} == {CANNOT_TELL}
    assert all("not run" in one.why for one in found)


def test_published_numbers_bear_out_the_orderings_that_name_them():
    """Were the published cells our runs, no claimed order may be the other way round."""
    from recollect.config.published import Published

    published = Published.load()
    values = {}
    for scenario in published.papers["adapt_and_align_2025"]["scenarios"]:
        for found in published.cells("adapt_and_align_2025", scenario):
            values[scenario, found.method, found.metric] = {0: found.value}
    compared = 0
    for one in load_claims():
        if one.paper.startswith("Adapt") and one.kind in ("ordering", "difference"):
            for part in judged(one, values).parts:
                compared += part.n
                assert math.isnan(part.estimate) or part.estimate > 0, (one.id, part)
    assert compared >= 9


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("order: [naive]", "order"),
        ("order: [naive, jiont]", "did you mean 'joint'"),
        ("order: [naive, joint]\n    metric: avg_ac", "unknown metric 'avg_ac'"),
    ],
)
def test_wrong_declarations_are_one_sentence(tmp_path, text, problem):
    metric = "" if "metric" in text else "    metric: avg_acc_unweighted\n"
    (tmp_path / "x.yaml").write_text(
        "title: T\nclaims:\n  - id: a\n    says: S\n    source: X\n    kind: ordering\n"
        f"    scenarios: [s]\n{metric}    {text}\n"
    )
    with pytest.raises(ConfigError, match=problem):
        load_claims(["naive", "joint"], ["s"], tmp_path)
