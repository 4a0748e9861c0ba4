"""Continual Prototype Evolution (De Lange and Tuytelaars 2021).

Features are L2-normalised; every class has a prototype on the unit sphere, updated with momentum from the
features of its current and replayed samples,

    p_c <- normalise(momentum * p_c + (1 - momentum) * normalise(sum of the batch's features of class c)),

and the pseudo-prototypical proxy (PPP) loss attracts a sample to its prototype and to the batch peers of its class
and repels it from those of the others (section 4.2 of the paper). The nearest prototype answers. Replay is
class-balanced: ``per_class`` reservoir slots for every class. Meant for one pass in small batches.

Deliberate deviations:
- A prototype starts at the first batch mean of its class instead of at random, and only prototypes of classes
  seen so far repel: the number of classes to come is not used.
- Pseudo-prototypes are constants in the gradient, as in the authors' code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recollect.engine.reservoir import Reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


def ppp_loss(features: Tensor, y: Tensor, prototypes: Tensor, known: Tensor, temperature: float) -> Tensor:
    """Pseudo-prototypical proxy loss, divided by the batch size.

    Args:
        features: (B, d), unit length.
        y: (B,) labels, whose prototypes are known.
        prototypes: (K, d), unit length.
        known: bool (K,), which prototypes exist.
        temperature: T of the softmax.
    """
    batch = len(y)
    to_prototype = torch.exp(features @ prototypes.T / temperature) * known  # exp(f_j . p^k / T), (B, K)
    to_peer = torch.exp(features @ features.detach().T / temperature)  # [j, i]: sample j, pseudo-prototype i
    total = to_prototype.sum(1, keepdim=True)

    # Attraction: own prototype and the peers of the own class, against the other classes' prototypes.
    own = to_prototype.gather(1, y[:, None])
    others = total - own
    peers = (y[:, None] == y[None]) & ~torch.eye(batch, dtype=torch.bool, device=y.device)
    attraction = own / (own + others) + (to_peer / (to_peer + others) * peers).sum(1, keepdim=True)
    attraction = attraction / (peers.sum(1, keepdim=True) + 1)

    # Repulsion of sample j from sample i of another class c: prototype of c and i itself as its stand-in.
    pull = to_prototype[:, y]  # [j, i]: exp(f_j . p^{y_i} / T)
    rest = total - pull
    mistaken = (pull / (pull + rest) + to_peer / (to_peer + rest)) / 2
    strangers = y[:, None] != y[None]
    repulsion = (torch.log1p(-mistaken.clamp(max=1 - 1e-6)) * strangers).sum()
    return -(attraction.log().sum() + repulsion) / batch


class CoPE(Strategy):
    """Prototypes on the unit sphere, class-balanced replay, PPP loss. The model's outputs are the features."""

    def __init__(
        self,
        *,
        n_classes: int,
        features: int,
        prototype_momentum: float,
        temperature: float,
        steps_per_batch: int,
        memory: list[Reservoir],
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.prototype_momentum, self.temperature, self.steps_per_batch = (
            prototype_momentum,
            temperature,
            steps_per_batch,
        )
        self.memory = memory
        self.prototypes = torch.zeros(n_classes, features, device=self.device)
        self.known = torch.zeros(n_classes, dtype=torch.bool, device=self.device)

    def scores(self, x: Tensor) -> Tensor:
        """Cosine similarity to every prototype; -2, below any cosine, where a class has none yet."""
        return torch.where(self.known, normalize(self.model(x)) @ self.prototypes.T, -2.0)

    def replay(self, batch: int) -> tuple[Tensor, Tensor]:
        """``batch`` stored samples in all, as evenly over the classes as they come."""
        filled = [memory for memory in self.memory if len(memory)]
        order = torch.randperm(len(filled), generator=self.generator).tolist()
        share, extra = divmod(batch, len(filled))
        counts = [share + (place < extra) for place in range(len(filled))]
        draws = [filled[i].draw(n) for i, n in zip(order, counts, strict=True) if n]
        return torch.cat([d[0] for d in draws]), torch.cat([d[1] for d in draws])

    def forward(self) -> Tensor:
        """Unit features of the current and as many replayed samples."""
        if not self.is_training:
            return super().forward()
        x, self.targets = self.mb_x, self.mb_y
        if any(len(memory) for memory in self.memory):
            old_x, old_y = self.replay(len(x))
            x, self.targets = torch.cat([x, old_x]), torch.cat([self.targets, old_y])
        return normalize(self.model(x))

    def training_loss(self) -> Tensor:
        """PPP loss against the prototypes from before this batch; extra steps on the same batch if asked for."""
        self._start_prototypes(self.mb_output.detach())
        loss = self._loss()
        for _ in range(self.steps_per_batch - 1):
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.mb_output = self.forward()
            loss = self._loss()
        self._move_prototypes(self.mb_output.detach())
        self._remember()
        return loss

    def _loss(self) -> Tensor:
        return ppp_loss(self.mb_output, self.targets, self.prototypes, self.known, self.temperature)

    def _class_means(self, features: Tensor) -> tuple[Tensor, Tensor]:
        sums = torch.zeros_like(self.prototypes).index_add_(0, self.targets, features)
        present = torch.zeros_like(self.known).index_fill_(0, self.targets, True)
        return normalize(sums), present

    def _start_prototypes(self, features: Tensor) -> None:
        means, present = self._class_means(features)
        self.prototypes = torch.where((present & ~self.known)[:, None], means, self.prototypes)
        self.known = self.known | present

    def _move_prototypes(self, features: Tensor) -> None:
        means, present = self._class_means(features)
        moved = normalize(self.prototype_momentum * self.prototypes + (1 - self.prototype_momentum) * means)
        self.prototypes = torch.where(present[:, None], moved, self.prototypes)

    def _remember(self) -> None:
        # One label transfer per batch of ten: the class decides which reservoir is offered the sample.
        labels = self.mb_y.tolist()
        for label in sorted(set(labels)):
            rows = torch.tensor([i for i, y in enumerate(labels) if y == label], device=self.device)
            self.memory[label].add(self.mb_x[rows], self.mb_y[rows])

    def extra_state(self) -> dict[str, Any]:
        """Prototypes and memory."""
        memory = [reservoir.state_dict() for reservoir in self.memory]
        return {"prototypes": self.prototypes, "known": self.known, "memory": memory}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back prototypes and memory."""
        self.prototypes, self.known = state["prototypes"], state["known"]
        for reservoir, stored in zip(self.memory, state["memory"], strict=True):
            reservoir.load_state_dict(stored)


def build(
    *,
    setting: Setting,
    features: int = 100,
    prototype_momentum: float = 0.99,
    temperature: float = 0.1,
    per_class: int = 200,
    steps_per_batch: int = 1,
) -> Strategy:
    """CoPE on the engine's strategy."""
    memory = [
        Reservoir(
            capacity=per_class,
            input_shape=setting.input_shape,
            seed=setting.seed * 100_003 + c,
            device=setting.device,
            dtype=setting.kept_dtype,
        )
        for c in range(setting.n_classes)
    ]
    return CoPE(
        n_classes=setting.n_classes,
        features=features,
        prototype_momentum=prototype_momentum,
        temperature=temperature,
        steps_per_batch=steps_per_batch,
        memory=memory,
        **setting.arguments(setting.model(features)),
    )
