"""What every method is built from: the training settings of the configuration and the scenario's facts."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from recollect.engine.optimizers import SGD, Adam
from recollect.engine.outputs import OutputMask
from recollect.layout import MODEL_MODULES
from recollect.models.classifiers import CLASSIFIERS
from recollect.multimodal.samples import Layout


@dataclass(frozen=True)
class TrainSettings:
    """Training settings that every method understands, with their defaults."""

    model: Literal["mlp", "cnn", "mm_encoder"] = "mlp"
    width: int = 400
    depth: int = 2
    epochs: int = 1
    iterations: int | None = None
    batch_size: int = 32
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 0.0
    reset_optimizer: bool = False
    augmentation: Literal["none", "crop_flip", "resized_crop_flip"] = "none"
    # Of mm_encoder alone, whose joint representation has ``width`` numbers; see recollect/multimodal/adapter.py.
    mm_towers: Sequence[str] = ()
    """Frozen transformers, as ``modality=name``."""
    mm_adapter: Literal["cross_modality", "modality_specific", "none"] = "cross_modality"
    mm_experts: int = 4
    mm_top_k: int = 2
    mm_rank: int = 32
    mm_scale: float = 0.1
    mm_renormalise: bool = True
    mm_zero_init: bool = True
    mm_surplus: Literal["last", "first"] = "last"
    mm_compute: Literal["dense", "routed", "gathered", "auto"] = "dense"


@dataclass(frozen=True)
class Setting:
    """The place a method is built for: its training settings, the data's shape, the device, the seed."""

    train: TrainSettings
    input_shape: tuple[int, int, int]
    n_classes: int
    n_tasks: int
    outputs: OutputMask
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seed: int = 0
    value_range: tuple[float, float] = (0.0, 1.0)
    """Smallest and largest value of an image's pixels."""
    layout: Layout | None = None
    """On data sets of several modalities: where each lies in a row. Rows have ``input_shape`` (1, 1, numbers)."""
    bytes_suffice: bool = True
    """Whether every value is a multiple of 1/255 in [0, 1], so that memories may keep it as a byte."""

    @property
    def kept_dtype(self) -> torch.dtype:
        """What memories keep values as: bytes where nothing is lost by it."""
        return torch.uint8 if self.bytes_suffice else torch.float32

    def model(self, n_outputs: int | None = None) -> nn.Module:
        """The classifier named in the settings, on the device; ``n_outputs`` defaults to all classes."""
        t = self.train
        n_outputs = self.n_classes if n_outputs is None else n_outputs
        if t.model in MODEL_MODULES:
            # Imported by name: its code belongs to the fingerprint of those runs only that use it.
            return importlib.import_module(MODEL_MODULES[t.model]).make_model(self, n_outputs)
        network = CLASSIFIERS[t.model](
            input_shape=self.input_shape, n_outputs=n_outputs, width=t.width, depth=t.depth
        )
        return network.to(self.device)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer named in the settings."""
        t = self.train
        if t.optimizer == "adam":
            return Adam(model.parameters(), lr=t.lr, weight_decay=t.weight_decay)
        return SGD(model.parameters(), lr=t.lr, momentum=t.momentum, weight_decay=t.weight_decay)

    def arguments(self, model: nn.Module | None = None) -> dict[str, Any]:
        """Keyword arguments for :class:`~recollect.engine.strategy.Strategy`."""
        t = self.train
        model = self.model() if model is None else model
        return {
            "model": model,
            "optimizer": self.optimizer(model),
            "outputs": self.outputs,
            "train_mb_size": t.batch_size,
            "train_epochs": t.epochs,
            "train_iterations": t.iterations,
            "augmentation": t.augmentation,
            "reset_optimizer": t.reset_optimizer,
            "device": self.device,
            "seed": self.seed,
        }

    def avalanche_arguments(self, model: nn.Module | None = None) -> dict[str, Any]:
        """Keyword arguments for a stock Avalanche strategy, which trains through Avalanche's own loop."""
        from avalanche.training.plugins import EvaluationPlugin

        t = self.train
        model = self.model() if model is None else model
        return {
            "model": model,
            "optimizer": self.optimizer(model),
            "train_mb_size": t.batch_size,
            "train_epochs": t.epochs,
            "eval_mb_size": 1000,
            "device": self.device,
            "evaluator": EvaluationPlugin(),
        }
