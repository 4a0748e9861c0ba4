"""Milliseconds per mini-batch of the Adapt & Align VAE, beside a bare loop over the same networks.

Fully connected, MNIST's shape and settings, batch 64. The third task is timed, because its global phase has 128
rows per iteration: two full mini-batches. The bare loop has its latents and targets ready in memory; what the
strategy takes beyond it is drawing, generating, encoding and bookkeeping.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.step_speed import experience
from recollect.engine.loading import load_build
from recollect.engine.outputs import OutputMask
from recollect.engine.settings import Setting, TrainSettings
from recollect.models.multiband_vae import divergence, posterior_draw, reconstruction_loss, relaxed_binary

BATCH, IMAGES, TASKS = 64, 6400, 3
EPOCHS = {"local": 2, "global": 2}
ROUNDS = 5
SOURCE_MS = {"local": 30.0, "global": 15.0}
"""What the authors' code takes on a machine of this class, two threads."""


class Watch:
    """Seconds of every phase, by its name; the ``timed`` of a strategy."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def learned(tasks: int) -> tuple[Any, list[Any]]:
    """The strategy after ``tasks`` short tasks, and the experiences of all."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (IMAGES * TASKS, 1, 28, 28), dtype=torch.uint8, generator=generator)
    y = torch.arange(TASKS).repeat_interleave(IMAGES)
    experiences = [experience(x, y, [task], task) for task in range(TASKS)]
    # Five of the local epochs train the encoder alone.
    train = TrainSettings(batch_size=BATCH, epochs=5 + EPOCHS["local"], lr=0.001, weight_decay=1e-5)
    setting = Setting(train, (1, 28, 28), TASKS, TASKS, OutputMask(TASKS, "seen"), torch.device("cpu"), 0)
    strategy = load_build("adapt_align_vae")(
        setting=setting, reconstruction="bce", global_epochs=EPOCHS["global"] + 1, warmup_epochs=1
    )
    for task in range(tasks):
        strategy.train(experiences[task], eval_streams=[])
    return strategy, experiences


def bare_loops(strategy: Any) -> dict[str, Callable[[], None]]:
    """One local and one global update by hand, on data that lie ready."""
    model, world = strategy.model, strategy.world
    x, ids = torch.rand(BATCH, 1, 28, 28), torch.full((BATCH,), 2)
    z, b = torch.randn(BATCH, strategy.latent), torch.ones(BATCH, strategy.binary)
    adams = {
        "local": torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=1e-5, fused=True),
        "global": torch.optim.Adam(world.parameters(), lr=0.001, fused=True),
    }

    def local() -> None:
        adams["local"].zero_grad()
        mean, log_variance, logits = model.encoder(x)
        raw = model.decoder(posterior_draw(mean, log_variance), relaxed_binary(logits, 0.01), ids)
        loss = reconstruction_loss(model.decoder, raw, x, "bce") + divergence(mean, log_variance)
        (loss / BATCH).backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 4.0)
        adams["local"].step()

    def overall() -> None:
        adams["global"].zero_grad()
        reconstruction_loss(world, world(z, b, ids), x, "bce").backward()
        adams["global"].step()

    return {"local": local, "global": overall}


def measure() -> dict[str, tuple[float, float, float]]:
    """Phase to (ms of the strategy, ms of the bare loop, ratio); medians over alternating rounds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    steps = {"local": EPOCHS["local"] * IMAGES // BATCH, "global": EPOCHS["global"] * IMAGES // BATCH * 2}
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    strategy, experiences = learned(TASKS - 1)
    state = strategy.state_dict()
    for _ in range(ROUNDS):
        strategy.load_state_dict(state)
        strategy.model.train().requires_grad_(True)
        strategy.world.train().requires_grad_(True)
        bare = {}
        for name, loop in bare_loops(strategy).items():
            for _ in range(5):
                loop()
            start = time.perf_counter()
            for _ in range(steps[name]):
                loop()
            bare[name] = (time.perf_counter() - start) / steps[name] * 1000
        strategy.load_state_dict(state)
        strategy.timed = watch = Watch()
        strategy.train(experiences[TASKS - 1], eval_streams=[])
        for name in steps:
            pairs[name].append((watch.seconds[name] / steps[name] * 1000, bare[name]))
    torch.set_num_threads(threads)
    columns = {name: np.array(values) for name, values in pairs.items()}
    return {
        name: (*np.median(c, axis=0).tolist(), statistics.median((c[:, 0] / c[:, 1]).tolist()))
        for name, c in columns.items()
    }
