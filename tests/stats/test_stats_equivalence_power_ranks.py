"""Equivalence, power, t intervals, ranks and Pareto fronts against closed forms and published tables."""

import math

import numpy as np
import pytest
from scipy import stats

from recollect.errors import RecollectError
from recollect.stats.equivalence import tost
from recollect.stats.intervals import t_interval
from recollect.stats.pareto import pareto_front
from recollect.stats.power import seeds_needed, t_test_power
from recollect.stats.ranks import cliques, critical_difference, mean_ranks, rank_rows


def upper_tail_df2(t):
    """Student's t with 2 degrees of freedom has this closed form."""
    return 0.5 - t / (2 * math.sqrt(2 + t * t))


def test_tost_by_hand_with_three_values():
    # 1, 2, 3: mean 2, std 1, standard error 1/sqrt(3); the nearer border of 1.5 +- 2 is 1.5 away.
    assert tost(2.0, 1.0, 3, 1.5, 2.0) == pytest.approx(upper_tail_df2(1.5 * math.sqrt(3)))
    # On the other side the same, by symmetry.
    assert tost(2.0, 1.0, 3, 2.5, 2.0) == pytest.approx(upper_tail_df2(1.5 * math.sqrt(3)))


def test_tost_is_the_larger_of_two_one_sided_t_tests():
    x = np.array([0.81, 0.84, 0.79, 0.83, 0.82])
    low = stats.ttest_1samp(x, 0.83 - 0.03, alternative="greater").pvalue
    high = stats.ttest_1samp(x, 0.83 + 0.03, alternative="less").pvalue
    assert tost(x.mean(), x.std(ddof=1), 5, 0.83, 0.03) == pytest.approx(max(low, high))


def test_tost_is_a_half_at_the_border_and_never_shows_equivalence_beyond_it():
    assert tost(3.0, 1.0, 4, 1.0, 2.0) == pytest.approx(0.5)
    assert tost(3.1, 1.0, 4, 1.0, 2.0) > 0.5


def test_tost_without_spread_or_seeds():
    assert tost(1.0, 0.0, 3, 1.1, 0.2) == 0.0
    assert tost(1.0, 0.0, 3, 1.3, 0.2) == 1.0
    assert math.isnan(tost(1.0, math.nan, 1, 1.0, 0.2))
    with pytest.raises(RecollectError, match="above zero"):
        tost(1.0, 1.0, 3, 1.0, 0.0)


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_needed_is_what_g_power_says_for_paired_t_tests(effect, pairs):
    assert seeds_needed(effect, 1.0) == pairs
    assert seeds_needed(-3 * effect, 3.0) == pairs


def test_seeds_needed_where_there_is_nothing_to_say():
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1.0, math.nan) is None
    assert seeds_needed(1e-4, 1.0) is None
    assert seeds_needed(1.0, 0.0) == 2
    assert seeds_needed(1e9, 1.0) == 2 or seeds_needed(1e9, 1.0) == 3


def test_power_agrees_with_simulation():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(4000):
        x = rng.normal(0.9, 1.0, 8)
        found += stats.ttest_1samp(x, 0.0).pvalue < 0.05 and x.mean() > 0
    assert t_test_power(0.9, 8) == pytest.approx(found / 4000, abs=0.02)


def test_t_interval_is_scipys():
    x = np.array([0.2, 0.5, 0.1, 0.4])
    mean, low, high, p = t_interval(x)
    expected = stats.t.interval(0.95, 3, loc=x.mean(), scale=stats.sem(x))
    assert (mean, low, high) == pytest.approx((x.mean(), *expected))
    assert p == pytest.approx(stats.ttest_1samp(x, 0).pvalue)
    assert t_interval([2.0, 2.0])[:3] == (2.0, 2.0, 2.0)
    assert np.isnan(t_interval([2.0])[1:]).all()
    assert np.isnan(t_interval([])).all()


def test_ranks_with_ties():
    values = np.array([[0.9, 0.8, 0.9, 0.1]])
    assert rank_rows(values, True).tolist() == [[1.5, 3.0, 1.5, 4.0]]
    assert rank_rows(values, False).tolist() == [[3.5, 2.0, 3.5, 1.0]]


def test_mean_ranks_leave_incomplete_scenarios_out_and_count_the_others():
    values = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0], [np.nan, 1.0, 2.0]])
    found = mean_ranks(values, True)
    assert found.n == 2
    assert found.mean.tolist() == [1.0, 2.5, 2.5]
    assert mean_ranks(np.full((1, 2), np.nan), True).n == 0


def test_friedman_is_scipys_statistic_through_iman_and_davenport():
    values = np.random.default_rng(1).normal(size=(8, 4))
    chi = stats.friedmanchisquare(*values.T).statistic
    f = 7 * chi / (8 * 3 - chi)
    assert mean_ranks(values, True).p_friedman == pytest.approx(stats.f.sf(f, 3, 21))


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_has_demsars_constants(k, q):
    assert critical_difference(k, 14) == pytest.approx(q * math.sqrt(k * (k + 1) / (6 * 14)), abs=2e-3)


def test_cliques_are_maximal():
    assert cliques(np.array([1.0, 1.5, 2.4, 4.0]), 1.0) == [(0, 1), (1, 2)]
    assert cliques(np.array([4.0, 1.0]), 1.0) == []


def test_pareto_front_by_hand():
    cost = [1.0, 2.0, 3.0, 2.0, np.nan, 1.0]
    gain = [0.5, 0.7, 0.6, 0.9, 0.99, 0.5]
    assert pareto_front(cost, gain).tolist() == [True, False, False, True, False, True]
