"""Mean and bootstrap interval against scipy, closed cases and coverage."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.errors import RecollectError
from recollect.stats import bootstrap as module
from recollect.stats import derive_seed, mean_interval, mean_interval_rows

values_by_seed = st.dictionaries(st.integers(0, 99), st.floats(-1e6, 1e6), min_size=2, max_size=8)


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_equals_quantiles_of_the_drawn_resamples(n):
    """The counted short cut gives the very quantiles of all 10,000 resample means."""
    rows = np.random.default_rng(n).normal(size=(4, n))
    counts = module._resample_counts(n, 10_000, derive_seed(7, "bootstrap", n, 10_000))
    assert (counts.sum(axis=1) == n).all()
    means = rows @ counts.T / n
    found = mean_interval_rows(rows, seed=7)
    expected = np.quantile(means, [0.025, 0.975], axis=1)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=0, atol=1e-14)


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 4)), min_size=1, max_size=9))
@settings(deadline=None)
def test_quantiles_of_counted_values_are_numpys(counted):
    """Also where a rank falls just between one value and the next."""
    values, times = (np.array(column) for column in zip(*counted, strict=True))
    tails = (0.1, 0.5, 0.75)
    found = module._quantiles(values[None, :], times, tails)
    expected = np.quantile(np.repeat(values, times), tails)
    np.testing.assert_allclose(np.ravel(found), expected, atol=1e-12)


@pytest.mark.parametrize("n", [5, 30])
def test_agrees_with_scipy_bootstrap(n):
    """A second implementation with its own random numbers; differs by Monte-Carlo error only."""
    sample = np.random.default_rng(n).normal(0.8, 0.05, n)
    ours = mean_interval(dict(enumerate(sample)), n_resamples=100_000)
    theirs = scipy.stats.bootstrap(
        (sample,), np.mean, n_resamples=100_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.02 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.02 * width)


@pytest.mark.parametrize(("n", "expected"), [(3, 0.75), (5, 0.84), (10, 0.90), (30, 0.94)])
def test_coverage_on_normal_data(n, expected):
    """The coverage that the tables state; 30 seeds reach the nominal 95 % nearly."""
    rows = np.random.default_rng(n).normal(size=(3000, n))
    found = mean_interval_rows(rows, n_resamples=2000)
    coverage = np.mean((found.low <= 0) & (found.high >= 0))
    assert coverage == pytest.approx(expected, abs=0.025)


def test_hand_computed_pair():
    """Two values: resample means are a, (a+b)/2, b with odds 1:2:1, so the interval is [a, b]."""
    found = mean_interval({0: 0.2, 1: 0.6})
    assert (found.n, found.low, found.high, found.note) == (2, 0.2, 0.6, "")
    assert found.mean == pytest.approx(0.4)
    assert found.std == pytest.approx(math.sqrt(0.08))


def test_one_seed_has_no_interval_and_says_so():
    found = mean_interval({3: 0.5})
    assert found.mean == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.note == "one seed: no interval"


def test_no_seed_says_so():
    found = mean_interval({})
    assert found.n == 0
    assert math.isnan(found.mean)
    assert found.note == "no seeds: no mean"


@given(values_by_seed, st.randoms())
@settings(deadline=None, max_examples=60)
def test_properties(values, random):
    """Order of the seeds does not matter, low <= mean <= high, all within the range of the values."""
    items = list(values.items())
    random.shuffle(items)
    found = mean_interval(values, n_resamples=200)
    assert found == mean_interval(dict(items), n_resamples=200)
    lowest, highest = min(values.values()), max(values.values())
    slack = 1e-9 * max(abs(lowest), abs(highest), 1e-300)
    assert lowest - slack <= found.low <= found.high <= highest + slack
    assert lowest <= found.mean <= highest


@given(st.floats(-1e9, 1e9), st.integers(2, 12))
@settings(deadline=None, max_examples=50)
def test_equal_values_give_their_own_value(value, n):
    found = mean_interval(dict.fromkeys(range(n), value), n_resamples=100)
    assert found.mean == found.low == found.high == value
    assert found.std == 0


def test_a_cell_does_not_depend_on_its_neighbours():
    rows = np.random.default_rng(0).normal(size=(50, 5))
    alone, together = mean_interval_rows(rows[:1]), mean_interval_rows(rows)
    assert [part[0] for part in alone] == [part[0] for part in together]


def test_seed_changes_the_interval_and_nothing_else_does():
    values = dict(enumerate(np.random.default_rng(0).normal(size=12)))
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1).low != mean_interval(values, seed=2).low
    assert derive_seed(1, "a") != derive_seed(1, "b")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"confidence": 95}, "confidence"), ({"n_resamples": 0}, "n_resamples")],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(RecollectError, match=words):
        mean_interval({0: 1.0, 1: 2.0}, **options)


def test_nan_is_refused():
    with pytest.raises(RecollectError, match="NaN"):
        mean_interval({0: 1.0, 1: math.nan})
