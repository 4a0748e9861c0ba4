"""The cross-modality adapter of one block: a mixture of experts that acts on all modalities together.

g = top-k of softmax(W_g u + b_g),   u = token means of all modalities side by side
Delta_m = s * sum over e of g_e out_m^e
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recollect.multimodal.experts import COMPUTE, Expert, Tokens
from recollect.multimodal.gate import check_top_k, gate_input, gate_weights


@dataclass(frozen=True)
class AdapterOptions:
    """What an adapter is like; none of these values is known from the paper.

    Attributes:
        kind: ``cross_modality``; ``modality_specific`` leaves the attention to other modalities out; ``none``.
        experts, top_k: at first, and how many of them a sample goes to.
        rank: r of the experts.
        scale: s.
        renormalise: whether the weights of the chosen experts sum to 1.
        zero_init: whether a fresh expert adds nothing.
        compute: ``dense``, ``routed``, ``gathered`` or ``auto``, see :mod:`recollect.multimodal.experts`.
    """

    kind: Literal["cross_modality", "modality_specific", "none"] = "cross_modality"
    experts: int = 4
    top_k: int = 2
    rank: int = 32
    scale: float = 0.1
    renormalise: bool = True
    zero_init: bool = True
    compute: Literal["dense", "routed", "gathered", "auto"] = "dense"

    def __post_init__(self) -> None:
        check_top_k(self.top_k, self.experts)


class Adapter(nn.Module):
    """The experts of one block.

    Args:
        dims: width of tokens by modality.
        options: see there.
        generator: CPU generator of the weights.
    """

    def __init__(self, dims: Mapping[str, int], options: AdapterOptions, generator: torch.Generator) -> None:
        super().__init__()
        self.dims, self.options = dict(dims), options
        self.experts = nn.ModuleList()
        self.grow(options.experts, generator)

    def __len__(self) -> int:
        return len(self.experts)

    def grow(self, n: int, generator: torch.Generator) -> None:
        """``n`` fresh experts with their rows of the gate."""
        o = self.options
        device = next((p.device for p in self.parameters()), torch.device("cpu"))
        for _ in range(n):
            self.experts.append(Expert(self.dims, o.rank, generator, o.zero_init).to(device))

    def frozen(self) -> list[bool]:
        """Of every expert."""
        return [bool(expert.frozen) for expert in self.each()]

    def each(self) -> list[Expert]:
        """The experts, in order."""
        return [expert for expert in self.experts if isinstance(expert, Expert)]

    @property
    def compute(self) -> str:
        """How the experts are computed. ``auto`` gathers, unless every sample goes to all of them.

        Measured by ``python -m benchmarks mmcl``: gathering costs the same however many experts there are.
        """
        if self.options.compute != "auto":
            return self.options.compute
        return "gathered" if self.options.top_k < len(self) else "dense"

    def gate(self, tokens: Tokens, present: Mapping[str, Tensor]) -> Tensor:
        """Weights g (N, E)."""
        rows = torch.stack([e.gate_row for e in self.each()])
        bias = torch.stack([e.gate_bias for e in self.each()])
        logits = nn.functional.linear(gate_input(tokens, present), rows, bias)
        return gate_weights(logits, self.options.top_k, self.options.renormalise)

    def forward(self, tokens: Tokens, present: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """Delta_m by modality, (N, T_m, D_m), and the weights (N, E)."""
        weights = self.gate(tokens, present)
        cross = self.options.kind == "cross_modality"
        made = COMPUTE[self.compute](self.each(), tokens, present, weights, cross)
        return {name: self.options.scale * delta for name, delta in made.items()}, weights

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """As many experts as the state has; their tensors are loaded after this."""
        start = f"{prefix}experts."
        stored = 1 + max(
            (int(k[len(start) :].split(".")[0]) for k in state_dict if k.startswith(start)), default=-1
        )
        self.grow(max(0, stored - len(self)), torch.Generator())
        del self.experts[stored:]
        super()._load_from_state_dict(state_dict, prefix, *arguments)
