"""What a run costs: wall and device seconds per phase, peak memory."""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Cost:
    """Seconds per named phase; on CUDA also the seconds between events on the device.

    On a CPU device seconds are the processor seconds of this process.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.wall_s: dict[str, float] = defaultdict(float)
        self.device_s: dict[str, float] = defaultdict(float)
        self._open: dict[str, tuple[float, float]] = {}
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside under ``name``."""
        wall, cpu = self._open[name] = time.perf_counter(), time.process_time()
        events = self._events()
        try:
            yield
        finally:
            self._open.pop(name, None)
            self.wall_s[name] += time.perf_counter() - wall
            self.device_s[name] += self._elapsed(events) if events else time.process_time() - cpu

    def _events(self) -> tuple[torch.cuda.Event, torch.cuda.Event] | None:
        if self.device.type != "cuda":
            return None
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        return start, end

    @staticmethod
    def _elapsed(events: tuple[torch.cuda.Event, torch.cuda.Event]) -> float:
        events[1].record()
        torch.cuda.synchronize()
        return events[0].elapsed_time(events[1]) / 1000

    def vram_mb(self) -> float:
        """Peak device memory in MiB, 0 on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) / 2**20 if self.device.type == "cuda" else 0.0

    @staticmethod
    def ram_mb() -> float:
        """Peak resident memory of this process in MiB (all seeds of a shared process count together)."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10

    def state_dict(self) -> dict[str, dict[str, float]]:
        """Seconds so far, those of phases under way included, for a run that is resumed."""
        now, cpu = time.perf_counter(), time.process_time()
        wall_s, device_s = dict(self.wall_s), dict(self.device_s)
        for name, (since, cpu_since) in self._open.items():
            wall_s[name] = wall_s.get(name, 0.0) + now - since
            # A device's own seconds are known when the phase ends; until then the wall's stand for them.
            spent = now - since if self.device.type == "cuda" else cpu - cpu_since
            device_s[name] = device_s.get(name, 0.0) + spent
        return {"wall_s": wall_s, "device_s": device_s}

    def load_state_dict(self, state: dict[str, dict[str, float]]) -> None:
        """Add the seconds of the part that ran before."""
        for name, seconds in state["wall_s"].items():
            self.wall_s[name] += seconds
        for name, seconds in state["device_s"].items():
            self.device_s[name] += seconds
