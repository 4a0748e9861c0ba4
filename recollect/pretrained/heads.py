"""One linear head per task; the answer is the largest output of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recollect.errors import RecollectError

STD = 0.02


class TaskHeads(nn.Module):
    """Heads of (C_t, d) weights, truncated normal with standard deviation 0.02, without bias unless asked for.

    Args:
        dim: width of features.
        n_classes: outputs of :meth:`forward`; those of classes without a head are -inf.
        bias: whether heads have one, 0 at first (SLCA); the LCA heads have none.

    Attributes:
        classes: of every task, in the order of its head's rows.
    """

    def __init__(self, dim: int, n_classes: int, bias: bool = False) -> None:
        super().__init__()
        self.dim, self.n_classes, self.bias = dim, n_classes, bias
        self.classes: list[list[int]] = []
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()

    def add(self, classes: Sequence[int], generator: torch.Generator, device: torch.device | str = "cpu") -> None:
        """A new head, drawn from ``generator`` on the CPU; classes that have one already are refused."""
        known = {c for task in self.classes for c in task}
        if known & set(classes):
            raise RecollectError(
                f"classes {sorted(known & set(classes))} come in two tasks: methods on pre-trained backbones need "
                "a class-incremental scenario"
            )
        weight = torch.empty(len(classes), self.dim)
        nn.init.trunc_normal_(weight, std=STD, generator=generator)
        self.classes.append(list(classes))
        self.weights.append(nn.Parameter(weight.to(device)))
        if self.bias:
            self.biases.append(nn.Parameter(torch.zeros(len(classes), device=device)))

    def resize(self, classes: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> None:
        """As many heads as ``classes`` has, for weights that are about to be loaded."""
        for task in list(classes)[len(self.classes) :]:
            self.add(task, torch.Generator(), device)

    def task(self, number: int) -> list[nn.Parameter]:
        """The parameters of one head."""
        return [self.weights[number], *([self.biases[number]] if self.bias else [])]

    def local(self, features: Tensor, number: int) -> Tensor:
        """Outputs (B, C_t) of one head for features (B, d)."""
        return nn.functional.linear(features, self.weights[number], self.biases[number] if self.bias else None)

    def seen(self) -> list[int]:
        """All classes with a head, in the order of the concatenated heads."""
        return [c for task in self.classes for c in task]

    def joined(self, features: Tensor) -> Tensor:
        """Outputs (B, seen classes) of all heads, one after another."""
        weight = torch.cat(list(self.weights))
        return nn.functional.linear(features, weight, torch.cat(list(self.biases)) if self.bias else None)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (B, n_classes), at every class's own number."""
        return spread(self.joined(features), self.seen(), self.n_classes)


def spread(scores: Tensor, classes: Sequence[int], n_classes: int) -> Tensor:
    """Scores (B, len(classes)) as (B, n_classes), each at its class's number, -inf elsewhere."""
    if list(classes) == list(range(n_classes)):
        return scores
    full = scores.new_full((len(scores), n_classes), -torch.inf)
    return full.index_copy(1, torch.tensor(list(classes), device=scores.device), scores)


def positions(classes: Sequence[int], n_classes: int, device: torch.device | str = "cpu") -> Tensor:
    """Class number -> place in ``classes``, int64 (n_classes,); -1 for classes that are not in it."""
    places = torch.full((n_classes,), -1, dtype=torch.long, device=device)
    places[torch.tensor(list(classes), device=device)] = torch.arange(len(classes), device=device)
    return places
