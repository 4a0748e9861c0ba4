"""The Fisher diagonal: closed form on logistic regression, per-sample loops on deeper networks."""

import pytest
import torch
from torch import nn

from recollect.engine import fisher
from recollect.models.classifiers import CNN, MLP

N, D, K = 9, 5, 4


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(N, 1, 1, D, generator=generator, dtype=torch.float64), torch.arange(N) % K


def open_outputs(logits):
    return logits


def three_open(logits):
    """Class 3 is not seen yet."""
    return logits + torch.tensor([0, 0, 0, -torch.inf])


def logistic_regression():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(D, K)).double()


def closed_form(model, masked, x, y, estimator):
    """Sum over samples of the squared gradient of log p(label): weight (K, D) and bias (K,)."""
    a = x.flatten(1)
    p = masked(model(x)).softmax(1).detach()
    weight, bias = torch.zeros(K, D, dtype=a.dtype), torch.zeros(K, dtype=a.dtype)
    for i in range(len(x)):
        for label in range(K):
            share = float(p[i, label]) if estimator == "exact" else float(label == y[i])
            delta = (p[i] - nn.functional.one_hot(torch.tensor(label), K)) ** 2
            bias += share * delta
            weight += share * delta[:, None] * a[i][None] ** 2
    return [weight, bias]


@pytest.mark.parametrize("masked", [open_outputs, three_open])
@pytest.mark.parametrize("estimator", ["exact", "empirical"])
@pytest.mark.parametrize("way", [fisher.linear_fisher_sum, fisher.general_fisher_sum])
def test_logistic_regression_equals_the_closed_form(data, way, estimator, masked):
    x, y = data[0], data[1] % 3
    model = logistic_regression()
    found = way(model, masked, x, y, estimator)
    for a, b in zip(found, closed_form(model, masked, x, y, estimator), strict=True):
        torch.testing.assert_close(a, b)


def test_the_exact_fisher_of_logistic_regression_is_p_one_minus_p_x_squared(data):
    """The textbook form: sum over labels of p_l (p_k - 1[k = l])^2 = p_k (1 - p_k)."""
    x, y = data
    model = logistic_regression()
    p = model(x).softmax(1).detach()
    weight, bias = fisher.linear_fisher_sum(model, open_outputs, x, y, "exact")
    torch.testing.assert_close(weight, (p * (1 - p)).T @ x.flatten(1) ** 2)
    torch.testing.assert_close(bias, (p * (1 - p)).sum(0))


def per_sample_by_autograd(model, masked, x, y, estimator):
    """One backward pass per sample and label."""
    total = [torch.zeros_like(p) for p in model.parameters()]
    for i in range(len(x)):
        probability = masked(model(x[i : i + 1])).softmax(1)[0].detach()
        for label in range(len(probability)):
            share = float(probability[label]) if estimator == "exact" else float(label == y[i])
            if share == 0:
                continue
            model.zero_grad()
            masked(model(x[i : i + 1])).log_softmax(1)[0, label].backward()
            for t, p in zip(total, model.parameters(), strict=True):
                t += share * p.grad**2
    return total


@pytest.mark.parametrize("estimator", ["exact", "empirical"])
def test_the_two_ways_and_autograd_agree_on_an_mlp(data, estimator):
    x, y = data[0], data[1] % 3
    torch.manual_seed(0)
    model = MLP(input_shape=(1, 1, D), n_outputs=K, width=6, depth=2).double()
    assert fisher.only_linear(model)
    fast = fisher.linear_fisher_sum(model, three_open, x, y, estimator)
    general = fisher.general_fisher_sum(model, three_open, x, y, estimator)
    slow = per_sample_by_autograd(model, three_open, x, y, estimator)
    for a, b, c in zip(fast, general, slow, strict=True):
        torch.testing.assert_close(a, c)
        torch.testing.assert_close(b, c)
    assert float(sum(t.sum() for t in slow)) > 0.1


def test_a_cnn_goes_the_general_way_and_is_right():
    torch.manual_seed(0)
    model = CNN(input_shape=(1, 6, 6), n_outputs=K, width=2, depth=1).double()
    x, y = torch.rand(5, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    assert not fisher.only_linear(model)
    found = fisher.general_fisher_sum(model, three_open, x, y, "exact")
    for a, b in zip(found, per_sample_by_autograd(model, three_open, x, y, "exact"), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Linear(3, 3, bias=False)), nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))],
)
def test_only_linear_refuses_what_the_short_cut_cannot_do(model):
    assert not fisher.only_linear(model)


def test_batched_is_the_squared_batch_mean_gradient_times_the_batch_size(data):
    x, y = data[0], data[1] % 3
    model = logistic_regression()
    p = model(x).softmax(1).detach()
    delta = p - nn.functional.one_hot(y, K)
    weight, bias = fisher.batched_fisher_sum(model, open_outputs, x, y)
    torch.testing.assert_close(weight, N * (delta.T @ x.flatten(1) / N) ** 2)
    torch.testing.assert_close(bias, N * (delta.mean(0)) ** 2)


def test_random_layers_are_refused_in_the_general_way(data):
    """Dropout that is not switched off would make a silent wrong estimate."""
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(D, K)).double().train()
    with pytest.raises(RuntimeError, match="randomness"):
        fisher.general_fisher_sum(model, open_outputs, *data, "exact")
