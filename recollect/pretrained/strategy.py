"""The strategy under every method on a pre-trained backbone: tokens computed once, phases with SGD, statistics."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from recollect.engine.images import ready_images
from recollect.engine.optimizers import SGD
from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.pretrained.features import BLOCK, RowBatches, fits, in_blocks
from recollect.pretrained.heads import positions
from recollect.pretrained.model import PretrainedModel


@dataclass(frozen=True)
class SGDPhase(Phase):
    """A phase with SGD; ``parameters`` may give groups with learning rates of their own.

    Attributes:
        momentum: of SGD.
        schedule: ``cosine`` from lr to ``lr_min``, set once per epoch; ``steps``: a tenth from every milestone on.
        lr_min, milestones: of the schedule.
    """

    momentum: float = 0.9
    schedule: Literal["cosine", "steps"] = "cosine"
    lr_min: float = 0.0
    milestones: tuple[int, ...] = ()

    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh SGD."""
        assert self.parameters is not None
        groups = list(self.parameters())
        made = SGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        for group in made.param_groups:
            group["initial_lr"] = group["lr"]
        return made

    def lr_at(self, initial: float, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        if self.schedule == "steps":
            return initial * 0.1 ** sum(epoch >= m for m in self.milestones)
        return self.lr_min + (initial - self.lr_min) * (1 + math.cos(math.pi * epoch / self.epochs)) / 2


@dataclass(frozen=True)
class Options:
    """How a method uses its backbone, beside the training settings.

    Attributes:
        lr_min: where the cosine schedule of task training ends.
        precision: ``bf16`` runs the backbone under autocast.
        compiled: blocks go through torch.compile.
    """

    lr_min: float = 0.0
    precision: Literal["float32", "bf16"] = "float32"
    compiled: bool = False


class PretrainedStrategy(Strategy):
    """Trains adaptation and a new head on every task, then looks back at it once; the base class.

    A method overrides :meth:`trained` (what a task trains), :meth:`training_loss`, :meth:`consolidate` (what
    happens once after training, on features under evaluation conditions) and :meth:`scores`.

    Attributes:
        model: the module.
        n_tasks: in the scenario.
    """

    model: PretrainedModel

    def __init__(
        self, *, model: PretrainedModel, setting: Setting, options: Options | None = None, **arguments: Any
    ) -> None:
        inert = SGD([nn.Parameter(torch.zeros(1, device=setting.device))], lr=0.0)  # phases bring their own
        t = setting.train
        super().__init__(
            model=model, optimizer=inert, outputs=setting.outputs, train_mb_size=t.batch_size,
            train_epochs=t.epochs, augmentation=t.augmentation, device=setting.device, seed=setting.seed,
            **arguments,
        )  # fmt: skip
        self.setting, self.n_tasks, self.options = setting, setting.n_tasks, options or Options()
        self.tokens: Tensor | None = None
        self.done = 0
        self._places: tuple[list[int], Tensor] = ([], torch.zeros(0))
        if self.options.compiled:
            model.backbone.suffix = torch.compile(model.backbone.suffix)  # type: ignore[method-assign]

    # What a method may override ------------------------------------------------------------------

    def trained(self) -> list[Any]:
        """Parameters (or groups of them) that a task trains: the adaptation and the newest head."""
        adaptation = self.model.adaptation
        return [*([] if adaptation is None else adaptation.parameters()), *self.model.heads.task(-1)]

    def begin_task(self) -> None:
        """A task starts: its head."""
        self.model.heads.add(self.task_classes(), self.generator, self.device)

    def training_phase(self) -> Phase:
        """Training on the task's images."""
        t = self.setting.train
        return SGDPhase(
            "train", t.epochs, self.trained, lr=t.lr, momentum=t.momentum, weight_decay=t.weight_decay,
            lr_min=self.options.lr_min, batches=self.task_batches,
        )  # fmt: skip

    def later_phases(self) -> Sequence[Phase]:
        """What follows :meth:`consolidate`."""
        return []

    def consolidate(self) -> None:
        """Once per task, after training: statistics, prototypes, merging."""

    # Phases --------------------------------------------------------------------------------------

    def phases(self) -> Sequence[Phase]:
        """Training, statistics (no epochs: :meth:`consolidate`), and what follows."""
        return [self.training_phase(), Phase("statistics", 0), *self.later_phases()]

    def start_phase(self) -> None:
        """The head before training, statistics after it."""
        if self.phase_number == 0:
            self.begin_task()
        if self.phase.name == "statistics":
            with self.timed("statistics"), torch.no_grad():
                self.consolidate()

    def _before_training_epoch(self, **kwargs: Any) -> None:
        if isinstance(self.phase, SGDPhase):
            for group in self.optimizer.param_groups:
                group["lr"] = self.phase.lr_at(group["initial_lr"], self.epoch)
        super()._before_training_epoch(**kwargs)

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self.tokens = None
        self.done = self.experience.task_number + 1

    def make_optimizer(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: every phase makes its own."""
        self.optimized_param_id: dict[str, Any] = {}

    # Data ----------------------------------------------------------------------------------------

    def task_classes(self) -> list[int]:
        """Classes of the current experience, sorted."""
        return sorted(self.experience.classes_in_this_experience)

    def images(self) -> Any:
        """Training images of the current experience."""
        return ready_images(self.experience.dataset, self.device)

    @property
    def first(self) -> int:
        """The first block that is adapted; those before it give the same tokens in every epoch."""
        adaptation = self.model.adaptation
        return self.model.backbone.depth if adaptation is None else adaptation.first

    def compute_tokens(self) -> None:
        """Tokens before the first adapted block, once for all epochs, if training images are not augmented."""
        images, backbone = self.images(), self.model.backbone
        if self.tokens is not None or self.first == 0 or self.augmentation != "none":
            return
        sample = backbone.prefix(images.gather(torch.zeros(1, dtype=torch.long, device=self.device)), 0)
        if fits(images, *sample.shape[1:]):
            with self.timed("frozen tokens"):
                self.tokens = in_blocks(lambda x: backbone.prefix(x, self.first), images)

    def task_batches(self) -> Any:
        """Tokens where they can be computed once, else images."""
        self.compute_tokens()
        if self.tokens is not None:
            images = self.images()
            return RowBatches((self.tokens, images.labels, images.task_labels), self.train_mb_size, self.generator)
        self.make_train_dataloader()
        return self.dataloader

    def batch_features(self) -> Tensor:
        """Features (B, d) of the mini-batch, of tokens or images, with the current adaptation."""
        with self.autocast():
            if self.tokens is not None:
                features = self.model.backbone.suffix(self.mb_x, self.first, self.model.adaptation)
            else:
                features = self.model.features(self.mb_x)
        return features.float()

    def features_of(self, x: Tensor, adaptation: Any = None) -> Tensor:
        """Features (B, d) of images with an adaptation; None for the bare backbone."""
        with self.autocast():
            return self.model.backbone.features(x, adaptation).float()

    def task_features(self, adaptation: Any = None) -> Tensor:
        """Features (n, d) of the current task's images, not augmented, with an adaptation or without any."""
        start = None if adaptation is None else adaptation.first
        if self.tokens is not None and start in (None, self.first):
            with self.autocast():
                parts = [self.model.backbone.suffix(t, self.first, adaptation) for t in self.tokens.split(BLOCK)]
            return torch.cat(parts).float()
        return in_blocks(lambda x: self.features_of(x, adaptation), self.images())

    def autocast(self) -> AbstractContextManager[Any]:
        """bf16 where it is asked for."""
        if self.options.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    # Losses and answers --------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Outputs of the newest head while training; masked scores while evaluating."""
        if not self.is_training:
            return super().forward()
        return self.model.heads.local(self.batch_features(), len(self.model.heads.classes) - 1)

    def training_loss(self) -> Tensor:
        """Cross-entropy over the task's own classes (local labels)."""
        return cross_entropy(self.mb_output, self.local_targets())

    def local_targets(self) -> Tensor:
        """Labels of the mini-batch as places in the newest head."""
        classes = self.model.heads.classes[-1]
        if self._places[0] is not classes:  # made once per task: small copies to a GPU make it wait
            self._places = (classes, positions(classes, self.outputs.n_classes, self.device))
        return self._places[1][self.mb_y]

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        """Outputs of all heads."""
        return self.model.heads(self.features_of(x, self.model.adaptation))

    # State ---------------------------------------------------------------------------------------

    def extra_state(self) -> dict[str, Any]:
        """How many tasks are done."""
        return {"done": self.done}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        self.done = state["done"]

    def stored_model(self) -> dict[str, Tensor]:
        """The model as it answers now, as the bytes of its state: for evaluations of saved models."""
        buffer = io.BytesIO()
        torch.save({"model": self.model.state_dict(), "extra": self.answering_state()}, buffer)
        return {"state": torch.from_numpy(np.frombuffer(buffer.getvalue(), dtype=np.uint8).copy())}

    def load_stored_model(self, tensors: dict[str, Tensor]) -> None:
        """Answer as the strategy did whose :meth:`stored_model` this is."""
        content = io.BytesIO(tensors["state"].cpu().numpy().tobytes())
        state = torch.load(content, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.load_answering_state(state["extra"])

    def answering_state(self) -> dict[str, Any]:
        """What :meth:`scores` needs beyond the model."""
        return {}

    def load_answering_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`answering_state` returned."""

    def notes(self) -> dict[str, Any]:
        """Which backbone, and how much of the model is trained."""
        backbone = self.model.backbone
        return {"backbone": backbone.name, "backbone_sha256": backbone.sha256}
