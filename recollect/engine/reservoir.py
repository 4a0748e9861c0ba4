"""A replay buffer filled by reservoir sampling, on the device, without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Reservoir:
    """Keeps a uniform sample of a stream (Vitter 1985, algorithm R) in fixed memory.

    Images are stored as uint8: our pipelines produce multiples of 1/255 in [0, 1], of which nothing is lost;
    rotated images are rounded, by at most 1/510. Other data are kept as they are with ``dtype`` float32.

    Args:
        capacity: samples kept.
        input_shape: (C, H, W).
        n_logits: width of the stored logits; 0 stores none.
        seed: of the buffer's own CPU generator, used for filling and drawing.
        device: where the samples lie.
        dtype: uint8 or a floating type.
    """

    def __init__(
        self, *, capacity: int, input_shape: Sequence[int], n_logits: int = 0, seed: int = 0,
        device: torch.device | str = "cpu", dtype: torch.dtype = torch.uint8,
    ) -> None:  # fmt: skip
        self.capacity, self.device = capacity, torch.device(device)
        self.seen = 0
        self.rng = np.random.default_rng([seed, 0x7E5E])
        self.x = torch.zeros(capacity, *input_shape, dtype=dtype, device=device)
        self.y = torch.zeros(capacity, dtype=torch.long, device=device)
        self.task = torch.zeros(capacity, dtype=torch.long, device=device)
        self.logits = torch.zeros(capacity, n_logits, device=device)

    def __len__(self) -> int:
        return min(self.seen, self.capacity)

    def slots(self, batch: int) -> np.ndarray:
        """Where each of the next ``batch`` samples goes, -1 for nowhere; advances the count."""
        count = self.seen + np.arange(batch)
        slot = (self.rng.random(batch) * (count + 1)).astype(np.int64)
        slot = np.where(count < self.capacity, count, slot)
        self.seen += batch
        return np.where(slot < self.capacity, slot, -1)

    def add(self, x: Tensor, y: Tensor, task: Tensor | None = None, logits: Tensor | None = None) -> None:
        """Offer a batch: x float in [0, 1] (B, C, H, W), y (B,), task (B,), logits (B, n_logits)."""
        if not self.capacity:
            return
        slots = self.slots(len(x))
        # Of several samples for one slot the last one stays: keep its last occurrence only.
        kept, last = np.unique(slots[::-1], return_index=True)
        rows = (len(slots) - 1 - last)[kept >= 0]
        if not len(rows):
            return
        slot = torch.from_numpy(kept[kept >= 0]).to(self.device)
        row = torch.from_numpy(rows).to(self.device)
        self.x[slot] = self._kept(x[row])
        self.y[slot] = y[row]
        if task is not None:
            self.task[slot] = task[row]
        if logits is not None:
            self.logits[slot] = logits[row]

    def draw(self, batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``batch`` distinct samples (all, if there are fewer): x float, y, task, logits."""
        chosen = self.rng.choice(len(self), size=min(batch, len(self)), replace=False)
        index = torch.from_numpy(chosen).to(self.device)
        x = self.x[index].float()
        x = x.div_(255) if self.x.dtype == torch.uint8 else x
        return x, self.y[index], self.task[index], self.logits[index]

    def _kept(self, x: Tensor) -> Tensor:
        """Samples as they are stored."""
        return x.mul(255).round_().to(torch.uint8) if self.x.dtype == torch.uint8 else x.to(self.x.dtype)

    def state_dict(self) -> dict[str, Any]:
        """Contents, count and random state."""
        state = self.rng.bit_generator.state
        numbers = [
            str(state["state"]["state"]),
            str(state["state"]["inc"]),
            state["has_uint32"],
            state["uinteger"],
        ]
        return {
            "x": self.x, "y": self.y, "task": self.task, "logits": self.logits, "seen": self.seen, "rng": numbers
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned."""
        for name in ("x", "y", "task", "logits"):
            getattr(self, name).copy_(state[name])
        self.seen = state["seen"]
        value, increment, has, uinteger = state["rng"]
        self.rng.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": int(value), "inc": int(increment)},
            "has_uint32": has,
            "uinteger": uinteger,
        }
