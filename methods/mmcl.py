"""MMCL: cross-modality adapters with knowledge preservation (Chee, Hsu, Lee, ECAI 2025, arXiv 2511.06723).

**A reconstruction of the published description**: neither the paper's text nor code of its authors was at hand,
only its abstract and a summary. What these fix: one frozen transformer per modality in blocks of a common
number, a mixture-of-experts adapter per block that attends to the other modalities, freezing of the experts
that earlier tasks used, alignment of every modality with the joint representation, preservation of relations,
distillation of logits with a weight that grows as sqrt(t). Every form and value beyond that is a decision of
this project and a setting (docs/mmcl.md). At task t

    L = CE + w_kd sqrt(t) L_kd [t > 1] + w_a L_align + w_p L_pres [t > 1]

1. Before the task: a snapshot of the model is the teacher; where fewer than k experts of an adapter are left to
   train, fresh ones are appended with their rows of the gate.
2. Training of adapters, gates, projections, maps and classifier with AdamW.
3. After it: experts whose mean gate weight over the last epoch is at least 1 / E are frozen for good.

The classifier has all its columns from the start, those of classes to come are masked, as everywhere in this
engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recollect.engine.batches import ReadyBatches
from recollect.engine.distillation import distillation
from recollect.engine.images import ready_images
from recollect.engine.optimizers import SGD
from recollect.engine.phases import Phase
from recollect.engine.replay import reservoir
from recollect.engine.reservoir import Reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.multimodal.building import make_model
from recollect.multimodal.diagnosis import diagnose, in_blocks, joined
from recollect.multimodal.encoder import Representation
from recollect.multimodal.freezing import Rule, Usage, fresh_needed
from recollect.multimodal.losses import alignment_loss, preservation_loss, standard_contrastive_loss
from recollect.multimodal.model import MMModel
from recollect.multimodal.options import LossOptions
from recollect.multimodal.phase import AdamWPhase
from recollect.multimodal.teaching import Lesson, NumberedBatches


class MMCL(Strategy):
    """Trains adapters on frozen transformers.

    Attributes:
        teacher: the model before the current task, None in the first one; it lives on until the next task begins.
        lesson: what the teacher says of the current task's samples, made when it is asked for.
        known: classes that the teacher has learnt.
        usage: of the experts, in the last epoch of the current task.
        history: by task, what its training did to the experts.
    """

    model: MMModel

    def __init__(
        self, *, model: MMModel, setting: Setting, losses: LossOptions, freeze: Rule, freeze_threshold: float |
        None, fresh_experts: int, lr_min: float, memory: Reservoir | None, replay_batch_size: int,
    ) -> None:  # fmt: skip
        inert = SGD([nn.Parameter(torch.zeros(1, device=setting.device))], lr=0.0)  # the phase brings its own
        super().__init__(**{**setting.arguments(model), "optimizer": inert})
        self.setting, self.losses, self.lr_min = setting, losses, lr_min
        self.freeze, self.freeze_threshold, self.fresh_experts = freeze, freeze_threshold, fresh_experts
        self.memory, self.replay_batch_size = memory, replay_batch_size
        self.teacher: MMModel | None = None
        self.lesson: Lesson | None = None
        self.known: list[int] = []
        self.usage = Usage()
        self.history: list[dict[str, Any]] = []
        self.done = 0

    # A task --------------------------------------------------------------------------------------

    def phases(self) -> Sequence[Phase]:
        """One."""
        t, epochs = self.setting.train, self.epochs_to_train()
        return [AdamWPhase("train", epochs, self.trained, t.lr, weight_decay=t.weight_decay, lr_min=self.lr_min)]

    def trained(self) -> list[nn.Parameter]:
        """All but frozen experts."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def start_phase(self) -> None:
        """The teacher, and fresh experts where too few are left to train."""
        self.usage = Usage()
        if self.done and self.losses.needs_teacher:
            self._adopt_teacher(self.model.state_dict())
        top_k = self.setting.train.mm_top_k
        fresh = [fresh_needed(frozen, top_k, self.fresh_experts) for frozen in self.model.frozen()]
        before = _count(self.model)
        self.model.grow(fresh, self.generator)
        self.history.append({"fresh": fresh, "parameters_added": _count(self.model) - before})

    def _before_training_epoch(self, **kwargs: Any) -> None:
        if isinstance(self.phase, AdamWPhase):
            for group in self.optimizer.param_groups:
                group["lr"] = self.phase.lr_at(self.epoch)
        super()._before_training_epoch(**kwargs)

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        images = ready_images(self.experience.dataset, self.device)
        if self.usage.totals:
            self.model.freeze(self.usage.used(self.freeze, self.freeze_threshold))
        absent = self._remember(images)
        frozen = [sum(flags) for flags in self.model.frozen()]
        self.history[-1] |= {"usage": self.usage.means(), "frozen": frozen, "absent": absent}
        self.known, self.done = list(self.outputs.seen), self.done + 1

    def _remember(self, images: Any) -> list[str]:
        """Offer every sample of the task to the memory once; the modalities that all of them lack."""
        seen: set[str] = set()
        for rows, x in in_blocks(self.model, images):
            present = self.model.samples(x).present
            seen |= {name for name, flags in present.items() if bool(flags.any())}
            if self.memory is not None:
                self.memory.add(x, images.labels[rows], images.task_labels[rows])
        return [name for name in self.model.layout.names if name not in seen]

    def make_train_dataloader(self, **kwargs: Any) -> None:
        """The engine's, which say which samples a batch holds; what is drawn anew in every epoch has no lesson."""
        super().make_train_dataloader(**kwargs)
        if isinstance(self.dataloader, ReadyBatches) and self.augmentation == "none":
            self.dataloader = NumberedBatches(self.dataloader.images, self.train_mb_size, self.generator)

    def make_optimizer(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: every phase makes its own."""
        self.optimized_param_id: dict[str, Any] = {}

    # A step --------------------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Logits of the current batch, followed by those of as many samples of the memory as are drawn."""
        if not self.is_training:
            return super().forward()
        x, self.targets, self.target_tasks = self.mb_x, self.mb_y, self.mb_tasks
        if self.memory is not None and len(self.memory):
            old_x, old_y, old_task, _ = self.memory.draw(self.replay_batch_size)
            x, self.targets = torch.cat([x, old_x]), torch.cat([self.targets, old_y])
            self.target_tasks = None if self.mb_tasks is None else torch.cat([self.mb_tasks, old_task])
        self.now: Representation = self.model.represent(x)
        if self.teacher is not None:
            self.before = self._taught(self.teacher, x)
        if self.epoch == self.phase.epochs - 1 and self.now.gates:
            self.usage.add([g[: len(self.mb_x)] for g in self.now.gates])
        return self.model.head(self.now.joint)

    @torch.no_grad()
    def _taught(self, teacher: MMModel, x: Tensor) -> Representation:
        """What the teacher says of rows ``x``: the mini-batch, then samples of the memory."""
        loader = getattr(self, "dataloader", None)
        if not isinstance(loader, NumberedBatches):
            return teacher.represent(x)
        if self.lesson is None:
            self.lesson = Lesson(teacher, loader.images)
        new = self.lesson.of(loader.numbers)
        old = x[len(loader.numbers) :]
        return joined([new, teacher.represent(old)]) if len(old) else new

    def training_loss(self) -> Tensor:
        """The sum of the module's docstring."""
        o = self.losses
        loss = self.classification_loss(self.mb_output, self.targets, self.target_tasks)
        if o.align == "joint":
            loss = loss + o.align_weight * alignment_loss(self.now, self.model.maps, o.align_temperature)
        elif o.align == "standard":
            loss = loss + o.align_weight * standard_contrastive_loss(self.now, o.align_temperature)
        if self.teacher is None:
            return loss
        if o.preserve_weight:
            loss = loss + o.preserve_weight * preservation_loss(self.now, self.before, o.preserve_temperature)
        if o.distill_weight:
            old = self.teacher.head(self.before.joint)[:, self.known]
            kept = distillation(self.mb_output[:, self.known], old, o.distill_temperature)
            loss = loss + o.distillation_weight(self.done) * o.distill_temperature**2 * kept
        return loss

    # State ---------------------------------------------------------------------------------------

    def _adopt_teacher(self, weights: dict[str, Any]) -> None:
        self.teacher = deepcopy(self.model).eval()
        self.teacher.load_state_dict(weights)
        self.teacher.requires_grad_(False)
        self.lesson = None

    def extra_state(self) -> dict[str, Any]:
        """Teacher, memory and what is known of the experts."""
        return {
            "teacher": {} if self.teacher is None else self.teacher.state_dict(),
            "memory": {} if self.memory is None else self.memory.state_dict(),
            "usage": self.usage.state_dict(), "history": deepcopy(self.history), "known": list(self.known),
            "done": self.done,
        }  # fmt: skip

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        if state["teacher"]:
            self._adopt_teacher(state["teacher"])
        if self.memory is not None:
            self.memory.load_state_dict(state["memory"])
        self.usage.load_state_dict(state["usage"])
        self.history, self.known, self.done = deepcopy(state["history"]), list(state["known"]), state["done"]

    def diagnose(self, task: int, streams: Sequence[Any]) -> dict[str, Any]:
        """Clusters of the modalities and agreement of routing with the model before the task."""
        return diagnose(self.model, self.teacher, streams, last=task == self.setting.n_tasks - 1)

    def notes(self) -> dict[str, Any]:
        """What this is, on which transformers, and what happened to the experts."""
        towers = {name: f"{t.name}@{t.sha256[:16]}" for name, t in self.model.encoder.towers.items()}
        return {"is": "reconstruction of the published description", "towers": towers, "experts": self.history}


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def build(
    *,
    setting: Setting,
    align: Literal["joint", "standard", "none"] = "joint",
    align_weight: float = 1.0,
    align_temperature: float = 0.07,
    preserve_weight: float = 1.0,
    preserve_temperature: float = 0.1,
    distill_weight: float = 1.0,
    distill_temperature: float = 2.0,
    distill_grows: bool = True,
    count_from: Literal[0, 1] = 1,
    freeze: Literal["threshold", "ever_selected", "none"] = "threshold",
    freeze_threshold: float | None = None,
    fresh_experts: int | None = None,
    lr_min: float = 0.0,
    memory_size: int = 0,
    replay_batch_size: int = 32,
) -> Strategy:
    """MMCL. What encoder and adapters are like is said by the training settings ``mm_...`` and ``width``.

    Args:
        align, align_weight, align_temperature: alignment with the joint representation, or its ablation, ordinary
            contrastive learning between modalities.
        preserve_weight, preserve_temperature: preservation of relations; weight 0 is the ablation.
        distill_weight, distill_temperature, distill_grows, count_from: distillation of logits; its weight times
            sqrt(t) where it grows; t counts from ``count_from``.
        freeze, freeze_threshold: which experts are frozen after a task; threshold None is 1 / E.
        fresh_experts: appended where fewer than ``mm_top_k`` are left to train; None takes ``mm_top_k``.
        lr_min: end of the cosine schedule.
        memory_size, replay_batch_size: samples kept of all tasks, and drawn in every step; 0 keeps none.
    """
    train = setting.train
    if train.model != "mm_encoder":
        raise RecollectError(f"mmcl needs model: mm_encoder, its settings say {train.model}")
    losses = LossOptions(
        align, align_weight, align_temperature, preserve_weight, preserve_temperature, distill_weight,
        distill_temperature, distill_grows, count_from,
    )  # fmt: skip
    memory = reservoir(setting, memory_size) if memory_size else None
    return MMCL(
        model=make_model(setting, setting.n_classes, maps=align == "joint"), setting=setting, losses=losses,
        freeze=freeze, freeze_threshold=freeze_threshold,
        fresh_experts=train.mm_top_k if fresh_experts is None else fresh_experts, lr_min=lr_min, memory=memory,
        replay_batch_size=replay_batch_size,
    )  # fmt: skip
