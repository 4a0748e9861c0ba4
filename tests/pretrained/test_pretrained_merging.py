"""Merging on tensors small enough to merge by hand."""

import pytest
import torch

from recollect.pretrained.merging import max_abs, merge, ties

#        equal signs     opposite      zero old  zero new  tie, opposite  tie, equal  both zero
OLD = torch.tensor([1.0, -4.0, 3.0, -1.0, 0.0, 2.0, 2.0, -2.0, 0.0])
NEW = torch.tensor([3.0, -2.0, -1.0, 2.0, 5.0, 0.0, -2.0, -2.0, 0.0])


def test_max_abs_keeps_the_larger_and_on_a_tie_the_new_one():
    assert max_abs(OLD, NEW).tolist() == [3.0, -4.0, 3.0, 2.0, 5.0, 2.0, -2.0, -2.0, 0.0]


def test_ties_averages_equal_signs_and_cancels_opposite_ones():
    assert ties(OLD, NEW).tolist() == [2.0, -3.0, 0.0, 0.0, 5.0, 2.0, 0.0, -2.0, 0.0]


def test_merge_works_on_differences_to_the_initial_parameters():
    initial = {"a": torch.tensor([10.0, 10.0]), "b": torch.zeros(1)}
    merged = {"a": torch.tensor([11.0, 6.0]), "b": torch.ones(1)}
    trained = {"a": torch.tensor([13.0, 8.0]), "b": torch.full((1,), -3.0)}
    found = merge(initial, merged, trained, "max_abs", alpha=0.5)
    assert found["a"].tolist() == [10 + 0.5 * 3, 10 + 0.5 * -4]
    assert found["b"].tolist() == [-1.5]
    assert merge(initial, merged, trained, "ties")["a"].tolist() == [12.0, 7.0]


@pytest.mark.parametrize("rule", ["max_abs", "ties"])
def test_a_task_that_changed_nothing_changes_nothing(rule):
    theta, tau = torch.randn(20), torch.randn(20)
    same = merge({"a": theta}, {"a": theta + tau}, {"a": theta + tau}, rule)["a"]
    torch.testing.assert_close(same, theta + tau)
