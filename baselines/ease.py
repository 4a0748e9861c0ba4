"""EASE, Expandable Subspace Ensemble (Zhou et al., CVPR 2024).

A fresh adapter is trained for every task with a linear head on the task's classes and then frozen. Adapter k is a
subspace: class c has a prototype P[c, k] in each, the mean of its features there. Old classes have no data when a
    new
adapter comes; their prototypes in its subspace are put together from those of the new classes,

    P[c, t] = sum_j w_cj P[j, t],   w_c = softmax_j cos(P[c, s], P[j, s]),   s the subspace of c's own task.

The logit of c is cos(f_s, P[c, s]) + alpha / (number of adapters) * sum over the other subspaces; with
``bare_weight`` (beta of the paper) the bare backbone is one more subspace.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softmax

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.heads import spread
from recollect.pretrained.prototypes import class_means, cosine
from recollect.pretrained.strategy import Options, PretrainedStrategy


def synthesised(old: Tensor, new_there: Tensor, new_here: Tensor) -> Tensor:
    """Prototypes (K_old, d) of old classes in a subspace without their data.

    Args:
        old: (K_old, d) in their own subspace.
        new_there: (K_new, d) of the new classes in that same subspace.
        new_here: (K_new, d) of the new classes in the new subspace.
    """
    return softmax(cosine(old, new_there), dim=1) @ new_here


def subspace_logits(features: list[Tensor], prototypes: list[Tensor], own: Tensor, alpha: float) -> Tensor:
    """Logits (B, K).

    Args:
        features: of every subspace, (B, d).
        prototypes: in every subspace, (K, d).
        own: (K,) subspace of every class's own task.
        alpha: weight of the others together.
    """
    number = len(features)
    parts = torch.stack([cosine(f, p) for f, p in zip(features, prototypes, strict=True)])  # (S, B, K)
    mine = own[None] == torch.arange(number, device=own.device)[:, None]
    return (parts * torch.where(mine, 1.0, alpha / number)[:, None]).sum(dim=0)


class EASE(PretrainedStrategy):
    """A bank of adapters and prototypes in all of their subspaces.

    Attributes:
        prototypes: of every subspace, (seen classes, d).
        bare: (seen classes, d), those of the bare backbone.
    """

    stored_model = PretrainedStrategy.stored_model  # what scores reads beyond the model is in answering_state

    def __init__(self, *, alpha: float, bare_weight: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.alpha, self.bare_weight = alpha, bare_weight
        self.prototypes: list[Tensor] = []
        self.bare: Tensor | None = None

    def begin_task(self) -> None:
        """A new head and, but for the first task, a fresh adapter."""
        super().begin_task()
        if self.done > 0:
            assert self.model.make is not None
            assert self.model.adaptation is not None
            self.model.adaptation.load_state_dict(self.model.make().state_dict())

    def consolidate(self) -> None:
        """The adapter joins the bank; prototypes of new classes everywhere, of old ones in the new subspace."""
        self.model.shelve()
        classes, y = self.task_classes(), self.images().labels
        new = [class_means(self.task_features(adapter), y, classes) for adapter in self.model.bank]
        if self.prototypes:
            own, n_old = self.own_subspace(), len(self.prototypes[0])
            old_here = new[0].new_zeros(n_old, new[0].shape[1])
            for task in range(len(self.prototypes)):
                rows = own[:n_old] == task
                old_here[rows] = synthesised(self.prototypes[task][rows], new[task], new[-1])
            self.prototypes.append(old_here)
            self.prototypes = [torch.cat([a, b]) for a, b in zip(self.prototypes, new, strict=True)]
        else:
            self.prototypes = new
        if self.bare_weight:
            means = class_means(self.task_features(), y, classes)
            self.bare = means if self.bare is None else torch.cat([self.bare, means])

    def own_subspace(self) -> Tensor:
        """The number of its own task for every seen class, in the order of the heads."""
        return torch.tensor([t for t, c in enumerate(self.model.heads.classes) for _ in c], device=self.device)

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Weighted sum of cosines."""
        backbone = self.model.backbone
        tokens = backbone.prefix(x, self.first)
        features = [backbone.suffix(tokens, self.first, adapter) for adapter in self.model.bank]
        logits = subspace_logits(features, self.prototypes, self.own_subspace(), self.alpha)
        if self.bare is not None:
            logits = logits + self.bare_weight * cosine(backbone.suffix(tokens, self.first), self.bare)
        return spread(logits, self.model.heads.seen(), self.outputs.n_classes)

    def extra_state(self) -> dict[str, Any]:
        """Prototypes and, as they are carried too, the bank."""
        return {**super().extra_state(), **self.answering_state(), "bank": dict(self.model.bank.state_dict())}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back the prototypes; the model has its bank."""
        super().load_extra_state(state)
        self.load_answering_state(state)

    def answering_state(self) -> dict[str, Any]:
        """Prototypes."""
        return {"prototypes": list(self.prototypes), "bare": self.bare}

    def load_answering_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`answering_state` returned."""
        self.prototypes, self.bare = list(state["prototypes"]), state["bare"]


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    adapter_width: int = 64,
    adapter_scale: float = 0.1,
    first_block: int = 0,
    lr_min: float = 0.0,
    alpha: float = 0.1,
    bare_weight: float = 0.0,
) -> Strategy:
    """EASE; arguments that it shares with methods/lca.py mean the same.

    Args:
        alpha: weight of other tasks' subspaces.
        bare_weight: of the bare backbone, 0 leaves it out.
    """
    model = make_model(
        setting, backbone, pretrained, "adapter", bank=True, first_block=first_block, width=adapter_width,
        scale=adapter_scale,
    )  # fmt: skip
    return EASE(model=model, setting=setting, options=Options(lr_min), alpha=alpha, bare_weight=bare_weight)
