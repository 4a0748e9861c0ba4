"""SimpleCIL (Zhou et al., Revisiting Class-Incremental Learning with Pre-Trained Models, 2023).

Nothing is trained: a class is the mean of its features under the frozen backbone, the nearest by cosine answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.building import make_model
from recollect.pretrained.by_prototype import PrototypeStrategy


class SimpleCIL(PrototypeStrategy):
    """Prototypes of the bare backbone."""

    def begin_task(self) -> None:
        """No head."""

    def phases(self) -> Sequence[Phase]:
        """Statistics alone."""
        return [Phase("statistics", 0)]


def build(*, setting: Setting, backbone: str, pretrained: bool = True) -> Strategy:
    """SimpleCIL on the engine's strategy; the training settings do nothing."""
    return SimpleCIL(model=make_model(setting, backbone, pretrained, None), setting=setting)
