"""First-session adaptation (Panos et al., First Session Adaptation, ICCV 2023), FSA-FiLM.

Scales and shifts in the backbone (FiLM; here the SSF of recollect/pretrained/ssf.py) are trained on the first task
with a linear head and frozen. Answers come from linear discriminant analysis on the features, whose class means
and one shared covariance S / n are exact sums over tasks:

    score_c(f) = f^T A^-1 mu_c - mu_c^T A^-1 mu_c / 2,   A = S / n + ridge I,   ridge = 1.

Deviation: class priors are taken as equal, as the tasks are balanced.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.first_session import FirstSessionStrategy
from recollect.pretrained.heads import spread
from recollect.pretrained.prototypes import Prototypes
from recollect.pretrained.strategy import Options


def lda_scores(features: Tensor, means: Tensor, covariance: Tensor) -> Tensor:
    """Discriminants (B, K) of features (B, d) for means (K, d) and one covariance (d, d)."""
    weights = torch.linalg.solve(covariance, means.T)  # (d, K)
    return features @ weights - (means.T * weights).sum(dim=0) / 2


class FirstSessionAdaptation(FirstSessionStrategy):
    """Means and scatter.

    Attributes:
        means: of the classes seen.
        scatter: S, (d, d), within classes.
        counted: n, images in it.
    """

    stored_model = FirstSessionStrategy.stored_model  # what scores reads beyond the model is in answering_state

    def __init__(self, *, ridge: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.ridge, self.means, self.counted = ridge, Prototypes(), 0
        self.scatter = torch.zeros(self.model.backbone.dim, self.model.backbone.dim, device=self.device)

    def consolidate(self) -> None:
        """Add the task's classes."""
        features, y = self.represent_task(), self.images().labels
        self.means.add(features, y, self.task_classes())
        for c in self.task_classes():
            centred = features[y == c] - features[y == c].mean(dim=0)
            self.scatter = self.scatter + centred.T @ centred
        self.counted += len(y)

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Discriminants."""
        assert self.means.matrix is not None
        covariance = self.scatter / self.counted + self.ridge * torch.eye(len(self.scatter), device=self.device)
        scores = lda_scores(self.represent(x), self.means.matrix, covariance)
        return spread(scores, self.means.classes, self.outputs.n_classes)

    def extra_state(self) -> dict[str, Any]:
        """Means and scatter."""
        state = {"means": self.means.state_dict(), "scatter": self.scatter, "counted": self.counted}
        return {**super().extra_state(), **state}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.means.load_state_dict(state["means"])
        self.scatter, self.counted = state["scatter"], state["counted"]


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    peft: Literal["ssf", "adapter", "lora", "vpt_deep", "vpt_shallow"] = "ssf",
    rank: int = 64,
    adapter_width: int = 64,
    adapter_scale: float = 0.1,
    prompts: int = 5,
    first_block: int = 0,
    lr_min: float = 0.0,
    ridge: float = 1.0,
) -> Strategy:
    """First-session adaptation; arguments that it shares with methods/lca.py mean the same.

    Args:
        peft: what is trained on the first task; the paper's FiLM is ssf.
        prompts: tokens of VPT.
        ridge: added to the shared covariance.
    """
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, rank=rank, width=adapter_width,
        scale=adapter_scale, prompts=prompts,
    )  # fmt: skip
    return FirstSessionAdaptation(model=model, setting=setting, options=Options(lr_min), ridge=ridge)
