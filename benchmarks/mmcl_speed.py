"""What the adapters of MMCL cost beside the frozen encoder: one forward and backward pass, on one thread.

Random weights; shapes of the spoken and written digits, and two ViTs of the width of ViT-B with few tokens.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import torch

ROUNDS = 5
BATCH = 32
PLAIN = "plain modality-specific"
KINDS: dict[str, dict[str, Any]] = {
    PLAIN: {"kind": "modality_specific", "experts": 1, "top_k": 1},
    "no adapter": {"kind": "none"},
    "cross-modality, 4 experts, dense": {"compute": "dense"},
    "cross-modality, 4 experts, routed": {"compute": "routed"},
    "modality-specific, 4 experts, dense": {"kind": "modality_specific", "compute": "dense"},
    "cross-modality, 4 experts, gathered": {"compute": "gathered"},
    "cross-modality, 12 experts, gathered": {"experts": 12, "compute": "gathered"},
    "cross-modality, 12 experts, dense": {"experts": 12, "compute": "dense"},
    "cross-modality, 12 experts, routed": {"experts": 12, "compute": "routed"},
}


@dataclass(frozen=True)
class Case:
    """Two towers (shape, patch, width, depth, heads), rank of the experts, samples in a batch."""

    first: dict[str, Any]
    second: dict[str, Any]
    rank: int
    batch: int


SMALL = Case(
    {"shape": (1, 40, 40), "patch": (8, 8), "dim": 64, "depth": 6, "heads": 4},
    {"shape": (1, 28, 28), "patch": (7, 7), "dim": 64, "depth": 4, "heads": 4},
    rank=16, batch=BATCH,
)  # fmt: skip
LARGE = Case(
    {"shape": (1, 128, 64), "patch": (16, 16), "dim": 768, "depth": 4, "heads": 12},
    {"shape": (3, 96, 96), "patch": (16, 16), "dim": 768, "depth": 4, "heads": 12},
    rank=32, batch=2,
)  # fmt: skip
CASES = {"spoken and written digits": SMALL, "4 layers of ViT-B each": LARGE}


def make_model(case: Case, options: dict[str, Any]) -> tuple[Any, torch.Tensor]:
    """A model and a batch of rows for it."""
    from recollect.multimodal.adapter import AdapterOptions
    from recollect.multimodal.encoder import MMEncoder
    from recollect.multimodal.model import MMModel
    from recollect.multimodal.samples import Layout, Modality
    from recollect.multimodal.towers import Tower, random_tower

    sizes = {"first": case.first, "second": case.second}
    towers = {name: Tower(random_tower(size, 0), name, "", size["shape"]) for name, size in sizes.items()}
    layout = Layout([Modality(name, size["shape"]) for name, size in sizes.items()])
    draw = torch.Generator().manual_seed(0)
    chosen = AdapterOptions(**{"rank": case.rank, "zero_init": False, **options})
    model = MMModel(layout, MMEncoder(towers, 64, chosen, "last", draw), 10)
    values = {name: torch.rand(case.batch, *size["shape"], generator=draw) for name, size in sizes.items()}
    return model, layout.pack(values)


def step(model: Any, rows: torch.Tensor) -> float:
    """Seconds of processor time of one forward and backward pass."""
    start = time.process_time()
    model(rows).square().sum().backward()
    spent = time.process_time() - start
    model.zero_grad()
    return spent


def measure() -> dict[str, dict[str, tuple[float, float]]]:
    """By case and kind: median ms, and the median ratio to plain adapters; all kinds take turns."""
    torch.set_num_threads(1)
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, case in CASES.items():
        made = {kind: make_model(case, options) for kind, options in KINDS.items()}
        rounds = [{kind: step(*pair) for kind, pair in made.items()} for _ in range(ROUNDS + 1)][
            1:
        ]  # the first warms up
        found[name] = {
            kind: (
                1e3 * statistics.median(times[kind] for times in rounds),
                statistics.median(times[kind] / times[PLAIN] for times in rounds),
            )
            for kind in KINDS
        }
    return found
