"""What a method on a pre-trained backbone trains, as one module: an adaptation, adapted twins of it, and heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recollect.pretrained.adaptation import Adaptation
from recollect.pretrained.backbones import Backbone
from recollect.pretrained.heads import TaskHeads


class PretrainedModel(nn.Module):
    """Images to scores of all classes. The frozen backbone is no part of its parameters nor of its state.

    Args:
        backbone: frozen.
        adaptation: what is trained of it; None trains heads only.
        heads: one per task.
        make: makes one more adaptation, for methods that keep a bank of them.

    Attributes:
        bank: adaptations of earlier tasks, frozen.
    """

    def __init__(
        self, backbone: Backbone, adaptation: Adaptation | None, heads: TaskHeads,
        make: Callable[[], Adaptation] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.backbone = backbone
        self.adaptation = adaptation
        self.heads = heads
        self.make = make
        self.bank = nn.ModuleList()

    @property
    def device(self) -> torch.device:
        """Where the backbone is."""
        return next(self.backbone.vit.parameters()).device

    def features(self, x: Tensor) -> Tensor:
        """Features (B, d) of images with the current adaptation."""
        return self.backbone.features(x, self.adaptation)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, n_classes); -inf for classes without a head."""
        return self.heads(self.features(x))

    def adapted(self) -> dict[str, Tensor]:
        """Copies of the adaptation's parameters by name: a point in parameter space."""
        assert self.adaptation is not None
        return {name: p.detach().clone() for name, p in self.adaptation.named_parameters()}

    @torch.no_grad()
    def adapt(self, point: dict[str, Tensor]) -> None:
        """Move the adaptation to a point that :meth:`adapted` returned."""
        assert self.adaptation is not None
        for name, parameter in self.adaptation.named_parameters():
            parameter.copy_(point[name])

    def shelve(self) -> None:
        """The current adaptation goes into the bank, frozen; another of the same parameters takes its place."""
        assert self.make is not None
        assert self.adaptation is not None
        kept = self._twin()
        kept.load_state_dict(self.adaptation.state_dict())
        self.bank.append(kept)

    def _twin(self) -> Adaptation:
        assert self.make is not None
        with torch.random.fork_rng(devices=[]):  # its draws are overwritten: they must not move others
            return self.make().to(self.device).requires_grad_(False)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Tensors, and the classes of every head and the size of the bank, which they need to be put back."""
        tensors = super().state_dict(*args, **kwargs)
        if args or kwargs:
            return tensors
        return {"tensors": dict(tensors), "classes": [list(c) for c in self.heads.classes], "bank": len(self.bank)}

    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
        """Put back what :meth:`state_dict` returned; heads and bank grow to its size."""
        self.heads.resize(state["classes"], self.device)
        while len(self.bank) < state["bank"]:
            self.bank.append(self._twin())
        return super().load_state_dict(state["tensors"], strict=strict, assign=assign)
