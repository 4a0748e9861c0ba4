"""The Avalanche strategy on which every method stands.

``strategy.train(experience)``, ``strategy.eval(stream)`` and plugins work as in Avalanche. What differs is
the inner loop: on our benchmarks it takes ready batches from tensors on the device, calls only the
plugin callbacks that do something and never waits for the device. On any other Avalanche benchmark the
ordinary data loaders are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from avalanche.training.templates import SupervisedTemplate
from torch import Tensor

from recollect.engine.batches import ReadyBatches
from recollect.engine.hooks import inner_hooks
from recollect.engine.images import TaskImages
from recollect.engine.outputs import OutputMask
from recollect.engine.phases import Phase, decay
from recollect.engine.seeding import rng_state, set_rng_state
from recollect.engine.state import load_plugins, plugin_states, to_device


class SequentialBatches:
    """Batches ``[x, y, task]`` in order, for evaluation."""

    def __init__(self, images: TaskImages, batch_size: int) -> None:
        self.images, self.batch_size = images, batch_size

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[list[Tensor]]:
        for index in torch.arange(len(self.images), device=self.images.device).split(self.batch_size):
            yield [self.images.gather(index), self.images.labels[index], self.images.task_labels[index]]


class Strategy(SupervisedTemplate):
    """Sequential training with a fixed-width head; the base class of all methods and the naive baseline.

    A method overrides :meth:`training_loss` (what is minimised), :meth:`scores` (how it answers),
    :meth:`extra_state` / :meth:`load_extra_state` (what it carries from task to task), :meth:`phases` (stages
    of training on one experience) or Avalanche's callbacks. Plugins that carry something offer
    ``state_dict()`` and ``load_state_dict(state, strategy)``.

    Args:
        model: maps (B, C, H, W) to logits (B, n_classes).
        optimizer: over the model's parameters.
        outputs: which of the ``n_classes`` outputs may answer.
        train_iterations: updates per task; overrides ``train_epochs``.
        augmentation: none, crop_flip or resized_crop_flip.
        seed: of the order of the batches and of :attr:`generator`.
    """

    classifies = True
    """Whether there are answers to be predicted; a pure generator has none."""

    def __init__(
        self,
        *,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        outputs: OutputMask,
        train_mb_size: int = 32,
        train_epochs: int = 1,
        train_iterations: int | None = None,
        eval_mb_size: int = 1000,
        device: torch.device | str = "cpu",
        plugins: Sequence[Any] | None = None,
        evaluator: Any = None,
        eval_every: int = -1,
        augmentation: str = "none",
        reset_optimizer: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(
            model=model, optimizer=optimizer, train_mb_size=train_mb_size, train_epochs=train_epochs,
            eval_mb_size=eval_mb_size, device=device, plugins=plugins, evaluator=evaluator, eval_every=eval_every,
        )  # fmt: skip
        self.outputs = outputs
        self.train_iterations = train_iterations
        self.augmentation = augmentation
        self.reset_optimizer = reset_optimizer
        self.generator = torch.Generator().manual_seed(seed)
        self.epoch = 0
        self.dataloader: Any = []
        self._stop_training: bool = False
        self.phase = Phase("train", train_epochs)
        self.phase_number = 0
        self.timed: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext()
        self._pending: dict[str, Any] | None = None
        self._hooks = inner_hooks([])

    # What a method may override ------------------------------------------------------------------

    def training_loss(self) -> Tensor:
        """Loss of the current mini-batch, a scalar. ``self.mb_output`` holds its logits."""
        return self.classification_loss(self.mb_output, self.mb_y, self.mb_tasks)

    def scores(self, x: Tensor) -> Tensor:
        """Class scores (B, n_classes) of images x, before masking; the largest is the answer."""
        return self.model(x)

    def extra_state(self) -> dict[str, Any]:
        """What the method carries beyond model and optimizer: tensors and plain values, nested."""
        return {}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""

    def snapshot(self) -> dict[str, Tensor]:
        """What evaluation needs of a generator after a task, as named tensors; empty for classifiers."""
        return {}

    def stored_model(self) -> dict[str, Tensor]:
        """What :meth:`scores` needs after the last task, as named tensors; the network, unless overridden.

        Asked for where the scenario says ``store_model: true``; :meth:`load_stored_model` puts it back.
        """
        return dict(self.model.state_dict())

    def load_stored_model(self, tensors: dict[str, Tensor]) -> None:
        """Answer as the strategy did whose :meth:`stored_model` this is; it may be one that was just built."""
        self.model.load_state_dict(tensors)

    def phases(self) -> Sequence[Phase]:
        """The stages of training on the current experience; asked again, without effect, on resuming."""
        return [Phase("train", self.epochs_to_train())]

    def start_phase(self) -> None:
        """``self.phase`` starts, it is not resumed: copy networks, draw numbers."""

    def enter_phase(self) -> None:
        """``self.phase`` starts or is resumed: its optimizer and loader. Nothing may be drawn here."""
        if self.phase.parameters is not None:
            self.optimizer = self.phase.optimizer()
        if self.phase.batches is not None:
            self.dataloader = self.phase.batches()
        elif self.phase_number:
            self.make_train_dataloader()

    def notes(self) -> dict[str, Any]:
        """What a method has to say about its run: plain values for its record."""
        return {}

    def curriculum(self, stream: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """(task number, experience to train on): one experience after another."""
        yield from enumerate(stream)

    # Losses and masks ----------------------------------------------------------------------------

    def classification_loss(self, logits: Tensor, y: Tensor, tasks: Tensor | None = None) -> Tensor:
        """Cross-entropy over the outputs that may answer: logits (B, n_classes), y and tasks (B,)."""
        return torch.nn.functional.cross_entropy(self.outputs.apply(logits, tasks), y)

    @property
    def mb_tasks(self) -> Tensor | None:
        """Task labels (B,) of the mini-batch, None where the benchmark gives none."""
        return self.mbatch[2] if len(self.mbatch) > 2 else None

    def criterion(self) -> Tensor:
        """The training loss while training, plain cross-entropy while evaluating (Avalanche's name)."""
        if self.is_training:
            return self.training_loss()
        return torch.nn.functional.cross_entropy(self.mb_output, self.mb_y)

    def forward(self) -> Tensor:
        """Logits of the mini-batch; masked scores while evaluating, so that metrics see the answer."""
        if self.is_training:
            return self.model(self.mb_x)
        return self.outputs.apply(self.scores(self.mb_x), self.mb_tasks)

    # The loop ------------------------------------------------------------------------------------

    def make_train_dataloader(self, **kwargs: Any) -> None:
        """Ready batches where the data allow it, else Avalanche's loader."""
        images = getattr(self.adapted_dataset, "ready_images", None)
        if images is None:
            super().make_train_dataloader(**kwargs)
        else:
            self.dataloader = ReadyBatches(images, self.train_mb_size, self.generator, self.augmentation)

    def make_eval_dataloader(self, **kwargs: Any) -> None:
        """Batches in order where the data allow it, else Avalanche's loader."""
        images = getattr(self.adapted_dataset, "ready_images", None)
        if images is None:
            super().make_eval_dataloader(**kwargs)
        else:
            self.dataloader = SequentialBatches(images, self.eval_mb_size)

    def check_model_and_optimizer(self, **kwargs: Any) -> None:
        """Avalanche's, with ``reset_optimizer`` passed on."""
        super().check_model_and_optimizer(reset_optimizer_state=self.reset_optimizer, **kwargs)

    def _before_training_exp(self, **kwargs: Any) -> None:
        self.outputs.observe_experience(self.experience)
        super()._before_training_exp(**kwargs)
        self._hooks = inner_hooks(self.plugins)

    def epochs_to_train(self) -> int:
        """Epochs for this experience: ``train_epochs``, or as many as ``train_iterations`` needs."""
        if self.train_iterations is None:
            return self.train_epochs
        return -(-self.train_iterations // len(self.dataloader))

    def _train_exp(self, experience: Any, eval_streams: Any = None, **kwargs: Any) -> None:
        pending, self._pending = self._pending, None
        own_optimizer, phases = self.optimizer, list(self.phases())
        first = pending["phase"] if pending else 0
        for self.phase_number in range(first, len(phases)):
            self.phase = phases[self.phase_number]
            within_epoch = False
            if not pending:
                self.epoch = 0
                self.start_phase()
            self.enter_phase()
            if pending:
                self.load_state_dict(pending)
                within_epoch = pending["loader"] is not None and pending["loader"]["epoch_seed"] is not None
                pending = None
            with self.timed(self.phase.name):
                if not self._train_phase(within_epoch, **kwargs):
                    break
        self.optimizer = own_optimizer

    def _train_phase(self, within_epoch: bool, **kwargs: Any) -> bool:
        """The epochs of a phase; whether training goes on."""
        while self.epoch < self.phase.epochs:
            if not within_epoch:  # else the stored state was taken after these callbacks had run
                self._before_training_epoch(**kwargs)
            within_epoch = False
            if self._stop_training:
                self._stop_training = False
                return False
            self.training_epoch(**kwargs)
            self.epoch += 1
            if self.phase.lr_decay != 1:
                decay(self.optimizer, self.phase.lr_decay)
            self._after_training_epoch(**kwargs)
        return True

    def optimizer_step(self) -> None:
        """One update, of cut gradients where the phase asks for it."""
        if self.phase.clip_value is not None:
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_value_(parameters, self.phase.clip_value)
        self.optimizer.step()

    def training_epoch(self, **kwargs: Any) -> None:
        """One pass over ``self.dataloader``: forward, loss, backward, update, and the callbacks between."""
        ready = hasattr(self.dataloader, "state_dict")
        (
            starting,
            before_forward,
            after_forward,
            before_backward,
            after_backward,
            before_update,
            after_update,
            ended,
        ) = self._hooks.values()
        for self.mbatch in self.dataloader:  # noqa: B020 - the name that Avalanche plugins read
            if self._stop_training or self.clock.train_exp_iterations == self.train_iterations:
                break
            if not ready:
                self._unpack_minibatch()
            self._call(starting, kwargs)
            self.optimizer.zero_grad()
            self._call(before_forward, kwargs)
            self.mb_output = self.forward()
            self._call(after_forward, kwargs)
            self.loss = self.criterion()
            self._call(before_backward, kwargs)
            self.backward()
            self._call(after_backward, kwargs)
            self._call(before_update, kwargs)
            self.optimizer_step()
            self._call(after_update, kwargs)
            self._call(ended, kwargs)

    def _call(self, hooks: list[Any], kwargs: dict[str, Any]) -> None:
        for hook in hooks:
            hook(self, **kwargs)

    # State ---------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that determines how training goes on, from any point between two steps."""
        loader = self.dataloader.state_dict() if hasattr(self.dataloader, "state_dict") else None
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "outputs": self.outputs.state_dict(),
            "extra": self.extra_state(),
            "plugins": plugin_states(self.plugins),
            "loader": loader,
            "phase": self.phase_number,
            "epoch": self.epoch,
            "clock": dict(vars(self.clock)),
            "generator": self.generator.get_state(),
            "rng": rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned; the batch position too while an experience is open."""
        self._load_all_but_optimizer(state)
        if self.optimized_param_id is None:  # else Avalanche would empty the optimizer at the next training
            self.make_optimizer(reset_optimizer_state=True)
        self.optimizer.load_state_dict(state["optimizer"])

    def _load_all_but_optimizer(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.outputs.load_state_dict(state["outputs"])
        self.load_extra_state(to_device(state["extra"], self.device))
        load_plugins(self.plugins, to_device(state["plugins"], self.device), self)
        if state["loader"] is not None and hasattr(self.dataloader, "load_state_dict"):
            self.dataloader.load_state_dict(state["loader"])
        self.phase_number, self.epoch = state["phase"], state["epoch"]
        self.clock.__dict__.update(state["clock"])
        self.generator.set_state(state["generator"])
        set_rng_state(state["rng"])

    def resume(self, state: dict[str, Any]) -> None:
        """Let the next :meth:`train` continue from ``state``, taken in the middle of that experience."""
        self._load_all_but_optimizer(state)  # the optimizer belongs to the phase, which begins there
        self._pending = state
