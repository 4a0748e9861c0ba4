"""Avalanche's own GenerativeReplay with its default generator, for comparison with ``generative_replay``.

Its default VAE has two latent units and is built for 28x28 grey images only; replayed images are concatenated
to the batch without the 1/t weighting. Trained by Avalanche's loop with an unmasked loss; only the answers are
masked. Its state cannot be saved in the middle of a run, so a killed run starts again.
"""

from __future__ import annotations

from typing import Any

from avalanche.training.plugins import GenerativeReplayPlugin
from avalanche.training.supervised import GenerativeReplay

from recollect.engine.settings import Setting
from recollect.errors import RecollectError


def build(*, setting: Setting, replay_size: int | None = None) -> Any:
    """Avalanche's GenerativeReplay as it comes.

    Raises:
        RecollectError: the images are not 1x28x28.
    """
    if tuple(setting.input_shape) != (1, 28, 28):
        raise RecollectError(
            "generative_replay_avalanche needs images of shape (1, 28, 28), these are "
            f"{tuple(setting.input_shape)}: leave it out of this scenario or use generative_replay"
        )
    strategy = GenerativeReplay(replay_size=replay_size, **setting.avalanche_arguments())
    for plugin in strategy.plugins:
        if isinstance(plugin, GenerativeReplayPlugin):
            plugin.generator_strategy.evaluator.loggers = []  # its default prints a bar for every step
    return strategy
