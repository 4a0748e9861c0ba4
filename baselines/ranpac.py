"""RanPAC, Random Projections and Pre-trained models for Continual Learning (McDonnell et al., NeurIPS 2023).

The backbone is adapted to the first task (phase 1) and frozen. Features f are projected at random and cut,
h = relu(f W); classes are told apart by ridge regression on h (phase 2),

    G = sum h h^T,   C = sum h y^T,   W_o = (G + lambda I)^-1 C,

whose sums over tasks give what all data together would give. lambda is chosen for every task among powers of ten
by the squared error on a fifth of the task's images, with statistics of the other four fifths, as in the authors'
code.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.first_session import FirstSessionStrategy
from recollect.pretrained.strategy import Options

RIDGES = tuple(10.0**power for power in range(-8, 9))
TRAINING_SHARE = 0.8


def ridge_weights(G: Tensor, C: Tensor, ridges: tuple[float, ...]) -> list[Tensor]:
    """(G + lambda I)^-1 C for every lambda, from one eigendecomposition in double precision."""
    values, vectors = torch.linalg.eigh(G.double())
    turned = vectors.T @ C.double()
    values = values.clamp(min=0)[:, None]
    return [(vectors @ (turned / (values + ridge))).to(C.dtype) for ridge in ridges]


def best_ridge(h: Tensor, targets: Tensor, order: Tensor) -> float:
    """The lambda with the smallest squared error on the last fifth of the rows in ``order``."""
    cut = max(1, int(len(h) * TRAINING_SHARE))
    fit, held = order[:cut], order[cut:]
    if not len(held):
        return 1.0
    weights = ridge_weights(h[fit].T @ h[fit], h[fit].T @ targets[fit], RIDGES)
    errors = torch.stack([(h[held] @ w - targets[held]).square().mean() for w in weights])
    return RIDGES[int(errors.argmin())]


class RanPAC(FirstSessionStrategy):
    """Second moments of projected features.

    Attributes:
        projection: W, (d, M).
        G, C: (M, M) and (M, n_classes).
        weights: W_o, None before the first task.
    """

    stored_model = FirstSessionStrategy.stored_model  # what scores reads beyond the model is in answering_state

    def __init__(self, *, projected: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        dim, n_classes = self.model.backbone.dim, self.outputs.n_classes
        draws = torch.Generator().manual_seed(self.setting.seed)
        self.projection = torch.randn(dim, projected, generator=draws).to(self.device)
        self.G = torch.zeros(projected, projected, device=self.device)
        self.C = torch.zeros(projected, n_classes, device=self.device)
        self.weights: Tensor | None = None
        self.ridges: list[float] = []

    def projected(self, features: Tensor) -> Tensor:
        """h (B, M)."""
        return torch.relu(features @ self.projection)

    def consolidate(self) -> None:
        """Add the task to G and C and solve."""
        h = self.projected(self.represent_task())
        y = torch.nn.functional.one_hot(self.images().labels, self.outputs.n_classes).to(h.dtype)
        order = torch.randperm(len(h), generator=self.generator).to(self.device)
        self.ridges.append(best_ridge(h, y, order))
        self.G = self.G + h.T @ h
        self.C = self.C + h.T @ y
        (self.weights,) = ridge_weights(self.G, self.C, (self.ridges[-1],))

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """h W_o."""
        assert self.weights is not None
        return self.projected(self.represent(x)) @ self.weights

    def extra_state(self) -> dict[str, Any]:
        """Projection, moments and their solution."""
        tensors = {"projection": self.projection, "G": self.G, "C": self.C, "weights": self.weights}
        return {**super().extra_state(), **tensors, "ridges": list(self.ridges)}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        for name in ("projection", "G", "C", "weights"):
            setattr(self, name, state[name])
        self.ridges = list(state["ridges"])

    def notes(self) -> dict[str, Any]:
        """The lambda of every task."""
        return {**super().notes(), "ridges": list(self.ridges)}


def build(
    *,
    setting: Setting,
    backbone: str,
    pretrained: bool = True,
    peft: Literal["adapter", "ssf", "vpt_deep", "vpt_shallow", "lora"] = "adapter",
    rank: int = 64,
    adapter_width: int = 64,
    adapter_scale: float = 0.1,
    prompts: int = 5,
    first_block: int = 0,
    lr_min: float = 0.0,
    projected: int = 10000,
) -> Strategy:
    """RanPAC; arguments that it shares with methods/lca.py mean the same.

    Args:
        peft: how the backbone is adapted to the first task.
        prompts: tokens of VPT.
        projected: M.
    """
    model = make_model(
        setting, backbone, pretrained, peft, first_block=first_block, rank=rank, width=adapter_width,
        scale=adapter_scale, prompts=prompts,
    )  # fmt: skip
    return RanPAC(model=model, setting=setting, options=Options(lr_min), projected=projected)
