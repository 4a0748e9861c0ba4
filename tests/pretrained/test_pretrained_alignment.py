"""The LCA loss against cases worked by hand and against its definition written as loops."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from recollect.errors import RecollectError
from recollect.pretrained.alignment import Alignment, alignment_loss, lca_loss, nearest, normalised, shrinkage


def by_definition(losses, y, near, weight):
    """Spec of the loss, class by class and pair by pair."""
    terms = []
    for c in y.unique().tolist():
        members = [i for i in range(len(y)) if y[i] == c and near[i]]
        if members:
            first = sum(losses[i] for i in members) / len(members)
            pairs = [(a, b) for a in members for b in members if a != b]
            second = sum(abs(losses[a] - losses[b]) for a, b in pairs) / len(pairs) if pairs else 0.0
        else:
            all_of_class = [i for i in range(len(y)) if y[i] == c]
            first, second = sum(losses[i] for i in all_of_class) / len(all_of_class), 0.0
        terms.append(first + weight * second)
    return sum(terms) / len(terms)


def test_two_classes_with_known_losses():
    losses = torch.tensor([1.0, 2.0, 4.0, 3.0, 5.0])
    y = torch.tensor([0, 0, 0, 1, 1])
    near = torch.ones(5, dtype=torch.bool)
    # class 0: mean 7/3, mean |difference| of pairs (1 + 3 + 2) / 3 = 2; class 1: mean 4, difference 2
    assert lca_loss(losses, y, near, 2, 0.1).item() == pytest.approx(((7 / 3 + 0.2) + (4 + 0.2)) / 2)


def test_without_lambda_it_is_the_class_averaged_cross_entropy():
    logits, y = torch.randn(30, 4), torch.randint(4, (30,))
    losses = cross_entropy(logits, y, reduction="none")
    means = torch.stack([losses[y == c].mean() for c in y.unique()])
    near = torch.ones(30, dtype=torch.bool)
    torch.testing.assert_close(lca_loss(losses, y, near, 4, 0.0), means.mean())


def test_equal_losses_have_no_second_term():
    y = torch.tensor([0, 0, 1, 1, 1])
    near = torch.ones(5, dtype=torch.bool)
    assert lca_loss(torch.full((5,), 2.5), y, near, 2, 10.0).item() == pytest.approx(2.5)


def test_class_without_near_samples_falls_back_to_all_of_its_samples():
    losses, y = torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 1])
    near = torch.tensor([False, False, True])
    assert lca_loss(losses, y, near, 2, 7.0).item() == pytest.approx((2.0 + 5.0) / 2)


def test_far_samples_do_not_count_where_there_are_near_ones():
    losses, y = torch.tensor([1.0, 3.0, 100.0]), torch.tensor([0, 0, 0])
    near = torch.tensor([True, True, False])
    assert lca_loss(losses, y, near, 1, 0.5).item() == pytest.approx(2.0 + 0.5 * 2.0)


def test_absent_classes_do_not_count():
    losses, y = torch.tensor([1.0, 3.0]), torch.tensor([4, 4])
    assert lca_loss(losses, y, torch.ones(2, dtype=torch.bool), 6, 0.0).item() == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(5))
def test_loss_and_gradient_equal_the_definition(seed):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(40, 6, generator=draw, dtype=torch.float64)
    y = torch.randint(6, (40,), generator=draw)
    near = torch.rand(40, generator=draw) < 0.6
    gradients = []
    for loss in (lca_loss, None):
        x = logits.clone().requires_grad_(True)
        losses = cross_entropy(x, y, reduction="none")
        value = lca_loss(losses, y, near, 6, 0.3) if loss else by_definition(losses, y, near, 0.3)
        value.backward()
        gradients.append((value.detach(), x.grad))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    torch.testing.assert_close(gradients[0][1], gradients[1][1])


def test_nearest_is_by_euclidean_distance():
    means = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    samples = torch.tensor([[1.0, 5.0], [2.0, -5.0], [1.6, 0.0]])
    assert nearest(samples, means, block=2).tolist() == [0, 1, 1]


def test_plain_alignment_is_cross_entropy():
    logits, y = torch.randn(9, 3), torch.randint(3, (9,))
    found = alignment_loss(logits, y, torch.ones(9, dtype=torch.bool), Alignment("ca"), [2, 1])
    torch.testing.assert_close(found, cross_entropy(logits, y))


def test_logits_are_divided_by_the_mean_norm_of_the_tasks():
    logits = torch.tensor([[3.0, 4.0, 1.0]])  # norms 5 and 1, mean 3
    torch.testing.assert_close(normalised(logits, [2, 1], 0.1), logits / 3 / 0.1)


def test_shrinkage_grows_to_one_with_the_task():
    assert [shrinkage(t, 4) for t in range(4)] == pytest.approx([0.925, 0.95, 0.975, 1.0])


def test_impossible_settings_are_refused():
    with pytest.raises(RecollectError, match="lca_lambda is -1"):
        Alignment("lca", weight=-1)
    with pytest.raises(RecollectError, match="alignment has 0 epochs"):
        Alignment("ca", epochs=0)
