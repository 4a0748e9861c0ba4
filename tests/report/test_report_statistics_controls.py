"""Statistics page on hand-made values; controls bound every metric, and a wrong metric is caught."""

import math

import numpy as np
import pytest
from scipy import stats

from recollect.metrics.accuracy import all_variants
from recollect.report.controls import FORGETTER, GUESSER, ORACLE, control_values, misranked
from recollect.report.statistics import (
    bounds,
    cost_rows,
    main_metrics,
    paired_differences,
    rank_tables,
)
from recollect.stats.holm import holm

ACC = "avg_acc_unweighted"


def cell(scenario, method, numbers, metric=ACC):
    return {(scenario, method, metric): dict(enumerate(numbers))}


def test_main_metrics_are_the_first_that_are_no_cost():
    assert main_metrics([["wall_s", ACC], ["wall_s"], [ACC, "bwt"], ["bwt"]]) == [ACC, "bwt"]


def test_paired_differences_with_holm():
    x = {"a": [0.9, 0.8, 0.85, 0.83], "b": [0.5, 0.45, 0.4, 0.5], "c": [0.5, 0.44, 0.42, 0.48]}
    values = {k: v for m, numbers in x.items() for k, v in cell("s", m, numbers).items()}
    pairs = paired_differences(values, [ACC])
    assert [(p.a, p.b, p.n) for p in pairs] == [("a", "b", 4), ("a", "c", 4), ("b", "c", 4)]
    raw = [stats.ttest_rel(x[p.a], x[p.b]).pvalue for p in pairs]
    assert [p.p_holm for p in pairs] == pytest.approx(holm(raw))
    assert pairs[0].more_seeds is None
    assert pairs[2].more_seeds > 0


def test_pairs_without_common_seeds_say_nothing():
    values = {("s", "a", ACC): {0: 0.5}, ("s", "b", ACC): {1: 0.5}}
    (pair,) = paired_differences(values, [ACC])
    assert (pair.n, pair.more_seeds) == (0, None)
    assert math.isnan(pair.diff)


def test_ranks_state_n_and_have_no_critical_difference_on_few_scenarios():
    def on(n):
        values = {}
        for i in range(n):
            for method, base in {"a": 0.9, "b": 0.5, "c": 0.1}.items():
                values |= cell(f"s{i}", method, [base, base + 0.01])
        return rank_tables(values, [ACC])[0]

    few, many = on(2), on(6)
    assert (few.methods, few.mean, few.n) == (("a", "b", "c"), (1.0, 2.0, 3.0), 2)
    assert math.isnan(few.critical_difference)
    assert many.critical_difference == pytest.approx(2.343 * math.sqrt(12 / 36), abs=2e-3)


def test_ranks_join_extractors_and_prefer_low_distances():
    values = cell("s", "a", [9.0], "fid@lenet_mnist") | cell("s", "b", [5.0], "fid@lenet_mnist")
    values |= cell("t", "a", [90.0], "fid@inception") | cell("t", "b", [50.0], "fid@inception")
    (table,) = rank_tables(values, ["fid@lenet_mnist", "fid@inception"])
    assert (table.metric, table.methods, table.n) == ("fid", ("b", "a"), 2)


def test_costs_and_fronts():
    values = {}
    for method, (accuracy, seconds, memory) in {"a": (0.9, 9, 5), "b": (0.8, 1, 0), "c": (0.7, 5, 9)}.items():
        values |= cell("s", method, [accuracy]) | cell("s", method, [seconds], "device_s")
        values |= cell("s", method, [memory], "carried_bytes")
    rows = {row.method: row for row in cost_rows(values, [ACC])}
    assert [rows[m].on_compute_front for m in "abc"] == [True, True, False]
    assert [rows[m].on_memory_front for m in "abc"] == [True, True, False]


LEVELLING = ["forgetting_range"]
"""LCA's range of forgetting: one who forgets everything loses the same on every task, and ties with the oracle."""


def test_controls_bound_every_accuracy_metric_but_the_one_that_sees_no_level():
    values = control_values(5, 10)
    assert misranked(values) == LEVELLING
    assert values[ORACLE][ACC] == 1.0
    assert values[GUESSER][ACC] == pytest.approx(0.1)
    assert values[FORGETTER][ACC] == pytest.approx(0.2)
    assert values[FORGETTER]["forgetting_max"] == 1.0
    assert values[GUESSER]["forgetting_max"] == 0.0


@pytest.mark.parametrize("metric", ["avg_acc_unweighted", "forgetting_max", "bwt", "avg_inc_acc_weighted"])
def test_a_metric_with_the_wrong_sign_is_caught(metric):
    def wrong(*arguments, **options):
        values = all_variants(*arguments, **options)
        return values | {metric: -values[metric]}

    assert metric in misranked(control_values(5, 10, wrong))


def test_a_metric_that_ranks_nothing_is_caught():
    def constant(*arguments, **options):
        return all_variants(*arguments, **options) | {"bwt": 0.0}

    assert misranked(control_values(5, 10, constant)) == [*LEVELLING, "bwt"]


def test_controls_bound_generative_metrics():
    """Held-out images of the same kind are the oracle, noise is the random generator."""
    from recollect.metrics.generative.frechet import frechet_distance
    from recollect.metrics.generative.kid import kernel_distance
    from recollect.metrics.generative.knn import knn_precision_recall
    from recollect.metrics.generative.prd import prd_precision_recall
    from recollect.tables.metric_info import metric_info

    rng = np.random.default_rng(0)
    real, oracle, random = rng.normal(0, 1, (120, 3)), rng.normal(0, 1, (120, 3)), rng.normal(20, 1, (120, 3))
    measured = {
        "fid": lambda x: frechet_distance(x, real),
        "kid": lambda x: kernel_distance(x, real, seed=0, n_subsets=3)[0],
        "precision": lambda x: prd_precision_recall(x, real, seed=0, n_runs=1, n_init=1)[0],
        "recall": lambda x: prd_precision_recall(x, real, seed=0, n_runs=1, n_init=1)[1],
        "knn_precision": lambda x: knn_precision_recall(x, real)[0],
        "knn_recall": lambda x: knn_precision_recall(x, real)[1],
    }
    for name, measure in measured.items():
        up = metric_info(f"{name}@x").direction == "up"
        good, bad = measure(oracle), measure(random)
        assert (good > bad) if up else (good < bad), name


def test_bounds_show_controls_beside_methods():
    values = cell("s", "a", [0.9, 0.8]) | cell("s", "b", [0.15]) | cell("s", "a", [1.0], "wall_s")
    (found,) = bounds(values, {"s": (5, 10)})
    assert (found.metric, found.lowest, found.highest) == (ACC, 0.15, pytest.approx(0.85))
    assert found.controls[GUESSER] == pytest.approx(0.1)
