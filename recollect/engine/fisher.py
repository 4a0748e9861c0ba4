"""Diagonal Fisher information of a classifier, by three named estimators.

- ``exact``: expectation over labels under the model's own softmax, per sample (Martens 2020, section 5);
- ``empirical``: squared gradient at the true label, per sample;
- ``batched``: square of the batch-mean gradient at the true labels, times the batch size, as in Avalanche up to
  that factor; about batch-size times smaller than per sample when gradients average out.

All are means over the samples. For networks whose parameters all sit in linear layers the squared per-sample
gradient of a weight is an outer product, (delta_o a_i)^2 = delta_o^2 a_i^2, so that its sum is one matrix product;
other networks use per-sample gradients through ``torch.func``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

Masked = Callable[[Tensor], Tensor]
LINEAR_CHUNK, GENERAL_CHUNK = 256, 16
"""Samples at once: bounded by layer outputs, or by one copy of all parameters per sample."""


def only_linear(model: nn.Module) -> bool:
    """Whether every parameter belongs to a linear layer with a bias."""
    owners = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return all(isinstance(m, nn.Linear) and m.bias is not None for m in owners)


def label_weights(log_probability: Tensor, y: Tensor, estimator: str) -> Iterator[tuple[int, Tensor]]:
    """(label, weight of every sample): probabilities for ``exact``, 1 at the true label for ``empirical``."""
    probability = (
        log_probability.exp() if estimator == "exact" else nn.functional.one_hot(y, log_probability.shape[1])
    )
    for label in torch.nonzero(probability.amax(0) > 0).flatten().tolist():
        yield label, probability[:, label].to(log_probability.dtype)


@contextmanager
def _recorded(model: nn.Module) -> Iterator[list[tuple[nn.Linear, Tensor, Tensor]]]:
    """Inputs and outputs of all linear layers of the forward passes made inside."""
    seen: list[tuple[nn.Linear, Tensor, Tensor]] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        seen.append((layer, inputs[0].detach(), output))

    handles = [m.register_forward_hook(keep) for m in model.modules() if isinstance(m, nn.Linear)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def linear_fisher_sum(model: nn.Module, masked: Masked, x: Tensor, y: Tensor, estimator: str) -> list[Tensor]:
    """Sum over samples of squared gradients, one tensor per parameter; for :func:`only_linear` models."""
    total = {p: torch.zeros_like(p) for p in model.parameters()}
    with _recorded(model) as layers:
        log_probability = masked(model(x)).log_softmax(1)
    outputs = [output for _, _, output in layers]
    for label, weight in label_weights(log_probability.detach(), y, estimator):
        chosen = log_probability[weight > 0, label].sum()
        deltas = torch.autograd.grad(chosen, outputs, retain_graph=True)
        for (layer, inputs, _), delta in zip(layers, deltas, strict=True):
            squared = delta.square() * weight[:, None]
            total[layer.weight] += squared.T @ inputs.square()
            total[layer.bias] += squared.sum(0)
    return list(total.values())


def general_fisher_sum(model: nn.Module, masked: Masked, x: Tensor, y: Tensor, estimator: str) -> list[Tensor]:
    """Sum over samples of squared gradients, one tensor per parameter; any model without random layers."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def log_likelihood(values: dict[str, Tensor], one: Tensor, label: Tensor) -> Tensor:
        logits = masked(functional_call(model, values, (one[None],)))
        return logits.log_softmax(1)[0].gather(0, label[None])[0]

    gradients = vmap(grad(log_likelihood), in_dims=(None, 0, 0), randomness="error")
    with torch.no_grad():
        log_probability = masked(model(x)).log_softmax(1)
    total = [torch.zeros_like(p) for p in parameters.values()]
    for label, weight in label_weights(log_probability, y, estimator):
        labels = torch.full_like(y, label)
        for t, g in zip(total, gradients(parameters, x, labels).values(), strict=True):
            t += torch.einsum("b,b...->...", weight, g.square())
    return total


def batched_fisher_sum(model: nn.Module, masked: Masked, x: Tensor, y: Tensor) -> list[Tensor]:
    """Square of the batch-mean gradient at the true labels, times the batch size."""
    loss = nn.functional.cross_entropy(masked(model(x)), y)
    return [g.square() * len(x) for g in torch.autograd.grad(loss, list(model.parameters()))]
