"""From a resolved method to its strategy, for training and for sampling from what was trained."""

from __future__ import annotations

from typing import Any

import torch

from recollect.engine.loading import load_build
from recollect.engine.outputs import OutputMask
from recollect.engine.settings import Setting, TrainSettings
from recollect.multimodal.samples import Layout


def build_strategy(
    method: dict[str, Any], outputs: OutputMask, *, input_shape: tuple[int, int, int], n_tasks: int,
    value_range: tuple[float, float], device: torch.device, seed: int, layout: Layout | None = None,
    bytes_suffice: bool = True,
) -> Any:  # fmt: skip
    """The strategy that the method's file builds; weights are drawn from the current random state.

    Args:
        method: ``{"file", "train", "hyper"}``, resolved.
        outputs: which classes may answer; knows how many there are.
        input_shape, value_range: of the images.
        n_tasks: in the scenario.
        device: where the networks are.
        seed: of the method's own draws.
        layout: of samples of several modalities; None for images.
        bytes_suffice: whether memories may keep the data as bytes.
    """
    setting = Setting(
        train=TrainSettings(**method["train"]), input_shape=input_shape, n_classes=outputs.n_classes,
        n_tasks=n_tasks, outputs=outputs, device=device, seed=seed, value_range=value_range, layout=layout,
        bytes_suffice=bytes_suffice,
    )  # fmt: skip
    return load_build(method["file"])(setting=setting, **method["hyper"])
