"""From the training settings to the model ``mm_encoder``, for every method alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recollect.errors import RecollectError
from recollect.multimodal.adapter import AdapterOptions
from recollect.multimodal.encoder import MMEncoder
from recollect.multimodal.model import MMModel
from recollect.multimodal.registry import tower_names
from recollect.multimodal.samples import Layout
from recollect.multimodal.towers import Tower
from recollect.multimodal.weights import load_tower

if TYPE_CHECKING:
    from recollect.engine.settings import Setting, TrainSettings


def layout_of(setting: Setting) -> Layout:
    """Where the modalities lie.

    Raises:
        RecollectError: the data are images.
    """
    if setting.layout is None:
        raise RecollectError(
            "model mm_encoder reads samples of several modalities, this scenario has images: choose another model "
            "or a scenario of several modalities"
        )
    return setting.layout


def make_towers(train: TrainSettings, layout: Layout, device: torch.device | str) -> dict[str, Tower]:
    """The frozen transformers by modality, in the order of the layout.

    Raises:
        RecollectError: a modality has none, or one is named for a modality that does not exist.
    """
    try:
        names = tower_names(train.mm_towers)
    except ValueError as error:
        raise RecollectError(str(error)) from None
    if set(names) != set(layout.names):
        raise RecollectError(
            f"mm_towers names transformers for {', '.join(names) or 'nothing'}, the samples have "
            f"{', '.join(layout.names)}: name one for every modality, as modality=transformer"
        )
    located = {entry.partition("=")[0]: entry for entry in train.mm_towers}
    return {m.name: load_tower(_located(located[m.name]), m.name, m.shape, device) for m in layout.modalities}


def _located(entry: str) -> str:
    """The transformer of a ``modality=transformer`` entry; one that knows its folder goes on knowing it."""
    from recollect.pretrained.weights import Located

    name = entry.partition("=")[2]
    if not isinstance(entry, Located):
        return name
    found = Located(name)
    found.folder = entry.folder
    return found


def adapter_options(train: TrainSettings) -> AdapterOptions:
    """The adapters that the settings ask for."""
    return AdapterOptions(
        kind=train.mm_adapter, experts=train.mm_experts, top_k=train.mm_top_k, rank=train.mm_rank,
        scale=train.mm_scale, renormalise=train.mm_renormalise, zero_init=train.mm_zero_init,
        compute=train.mm_compute,
    )  # fmt: skip


def make_model(setting: Setting, n_outputs: int, maps: bool = False) -> MMModel:
    """The model, on the device; what is trained is drawn from the current random state.

    Args:
        setting: of the method.
        n_outputs: of the classifier.
        maps: whether it has the linear maps of the alignment.
    """
    train, layout = setting.train, layout_of(setting)
    options = adapter_options(train)
    drawn = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    towers = make_towers(train, layout, setting.device)
    encoder = MMEncoder(towers, train.width, options, train.mm_surplus, drawn)
    return MMModel(layout, encoder, n_outputs, maps).to(setting.device)
