"""Experience replay with a reservoir (Chaudhry et al. 2019, "tiny episodic memories").

Every step trains on the current batch together with ``replay_batch_size`` stored samples, as one batch. The
strategy is :class:`recollect.engine.replay.ExperienceReplay`; methods with an optional memory stand on it too.
"""

from __future__ import annotations

from recollect.engine.replay import ExperienceReplay, reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


def build(*, setting: Setting, buffer_size: int = 200, replay_batch_size: int = 32) -> Strategy:
    """Experience replay on the engine's strategy."""
    buffer = reservoir(setting, buffer_size)
    return ExperienceReplay(buffer=buffer, replay_batch_size=replay_batch_size, **setting.arguments())
