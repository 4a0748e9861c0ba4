"""Holm's adjustment against a case worked by hand, and its properties."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from recollect.errors import RecollectError
from recollect.stats.holm import holm, smallest_wilcoxon_p


def test_worked_by_hand():
    """0.005*4 = 0.02; 0.01*3 = 0.03; 0.03*2 = 0.06; 0.04*1 = 0.04 is lifted to 0.06."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_capped_at_one():
    np.testing.assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])


def test_an_unknown_p_stays_unknown_and_counts_in_the_family():
    found = holm([0.01, np.nan, 0.02])
    np.testing.assert_allclose(found[[0, 2]], [0.03, 0.04])
    assert np.isnan(found[1])


def test_empty_family():
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_properties(p_values, random):
    """Never below the raw p, at most Bonferroni, order kept, permutation moves the results along."""
    found = holm(p_values)
    p = np.array(p_values)
    assert (found >= p).all()
    assert (found <= np.minimum(1, len(p) * p) + 1e-15).all()
    for a, b in itertools.combinations(range(len(p)), 2):
        assert (found[a] <= found[b]) or p[a] > p[b]
    order = list(range(len(p)))
    random.shuffle(order)
    np.testing.assert_array_equal(holm(p[order]), found[order])


def test_out_of_range_is_refused():
    with pytest.raises(RecollectError, match="between 0 and 1"):
        holm([1.2])


@pytest.mark.parametrize("n", [3, 5, 6])
def test_smallest_wilcoxon_p_is_scipys(n):
    """All differences of one sign is the most extreme case there is."""
    assert smallest_wilcoxon_p(n) == pytest.approx(scipy.stats.wilcoxon(np.arange(1, n + 1)).pvalue)
    assert smallest_wilcoxon_p(5) > 0.05
