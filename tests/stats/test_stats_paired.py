"""Paired comparison against scipy and hand-worked cases."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.errors import RecollectError
from recollect.stats import compare_paired, compare_paired_rows, hedges_factor, mean_interval, paired


def pair(n, seed=0):
    rng = np.random.default_rng(seed)
    reference = rng.normal(0.7, 0.1, n)
    return dict(enumerate(reference + rng.normal(0.02, 0.03, n))), dict(enumerate(reference))


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_p_is_scipys_ttest_rel(n):
    method, reference = pair(n)
    expected = scipy.stats.ttest_rel(list(method.values()), list(reference.values())).pvalue
    assert compare_paired(method, reference).p_t == pytest.approx(expected, rel=1e-12)


def test_hand_worked():
    """Differences 1, 2, 3: mean 2, std 1, t = 2 sqrt 3, d_z 2, J(2) = sqrt(1/pi) = 0.5642."""
    found = compare_paired({0: 2.0, 1: 4.0, 2: 6.0}, {0: 1.0, 1: 2.0, 2: 3.0})
    assert found.diff == pytest.approx(2)
    assert found.p_t == pytest.approx(2 * scipy.stats.t.sf(2 * math.sqrt(3), 2))
    assert found.effect == pytest.approx(2 / math.sqrt(math.pi))
    assert found.note == ""


def test_hedges_factor_against_the_textbook_approximation():
    for df in (5, 10, 50):
        assert hedges_factor(df) == pytest.approx(1 - 3 / (4 * df - 1), rel=3e-3)
    with pytest.raises(RecollectError, match="3 pairs"):
        hedges_factor(1)


def test_interval_is_the_bootstrap_of_the_differences():
    method, reference = pair(6)
    differences = {seed: method[seed] - reference[seed] for seed in method}
    boot, found = mean_interval(differences, seed=3), compare_paired(method, reference, seed=3)
    assert (found.diff, found.low, found.high) == (boot.mean, boot.low, boot.high)


def test_only_common_seeds_count():
    found = compare_paired({0: 1.0, 1: 2.0, 9: 100.0}, {1: 1.0, 0: 0.5, 7: -50.0})
    assert found.n == 2
    assert found.diff == pytest.approx(0.75)
    assert found.note == paired.TWO_PAIRS
    assert math.isnan(found.effect)


def test_no_and_one_pair_are_said_in_words():
    assert compare_paired({0: 1.0}, {1: 1.0}).note == paired.NO_PAIRS
    one = compare_paired({0: 1.0}, {0: 0.25})
    assert (one.diff, one.note) == (0.75, paired.ONE_PAIR)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_same_difference_everywhere_is_infinite_and_said(sign):
    """0.1 steps differ in the last bit; that rounding is not taken for spread."""
    reference = {k: 0.1 * k for k in range(5)}
    found = compare_paired({k: value + sign * 0.1 for k, value in reference.items()}, reference)
    assert found.effect == sign * math.inf
    assert math.isnan(found.p_t)
    assert found.note == paired.SAME_DIFFERENCE


def test_no_difference_at_all_is_undefined_and_said():
    values = {k: 0.1 * k for k in range(5)}
    found = compare_paired(values, dict(values))
    assert found.diff == found.low == found.high == 0
    assert found.note == paired.NO_DIFFERENCE


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=7))
@settings(deadline=None, max_examples=80)
def test_nothing_is_nan_without_words_and_swapping_turns_signs(pairs):
    ours, theirs = (dict(enumerate(column)) for column in zip(*pairs, strict=True))
    found = compare_paired(ours, theirs, n_resamples=100)
    back = compare_paired(theirs, ours, n_resamples=100)
    numbers = (found.low, found.high, found.p_t, found.effect)
    assert found.note or all(math.isfinite(number) for number in numbers)
    assert back.diff == pytest.approx(-found.diff, abs=1e-15)
    assert back.note == found.note


def test_unequal_shapes_are_refused():
    with pytest.raises(RecollectError, match="equal shapes"):
        compare_paired_rows(np.ones((2, 3)), np.ones((3, 3)))
