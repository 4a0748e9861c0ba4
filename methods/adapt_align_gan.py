"""Adapt & Align with a Wasserstein GAN (Multiband GAN; Deja et al., Neurocomputing 2025).

Every task k is learned twice. Local phase: a WGAN-GP (eq. 3 and 4) on the new data alone, its generator a copy
of the global one. Global phase: the global generator p_w(t(z, i)) is regressed (eq. 5 and 6) onto

    sum_{i<k} || p_w_old(t_old(z, i)) - p_w(t(z, i)) ||^2 + || x_k - p_w(t(z_k, k)) ||^2,

first its translator t alone, then all of it. The current pairs (z_k, x_k) are generations of the local generator,
or, with ``current: inversion``, the real images with the noise that the local generator maps nearest to them,
found by gradient descent. No real image and no old data are kept.

Decisions of ours where no source settles it: mini-batches mix replayed and current pairs and are shuffled; frozen
generators are in evaluation mode; data outside [-1, 1] (calorimeter responses) are scaled to it and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from recollect.engine.mixed import MixedBatches, Rows, cycled_order
from recollect.engine.optimizers import Adam
from recollect.engine.phases import Phase, decay
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.generation.continual import ContinualGenerator
from recollect.generation.shares import replay_counts
from recollect.generation.snapshots import frozen, pack, unpack
from recollect.models.multiband_gan import Critic, Generator, gradient_penalty

BETAS = (0.0, 0.9)
INVERSION_ROWS = 256
"""Images inverted at once; each has its own noise, so the number does not matter to the result."""


@dataclass(frozen=True)
class Schedule:
    """Everything about training but the networks; names as in :func:`build`."""

    local_epochs: int
    global_epochs: int
    warmup_epochs: int
    local_lr: float
    global_lr: float
    lr_decay: float
    critic_steps: int
    replay_share: float
    critic_weight_decay: float = 0.001
    penalty: float = 10.0
    current: str = "generations"
    inversion_steps: int = 1000
    inversion_lr: float = 0.1

    def __post_init__(self) -> None:
        if min(self.local_epochs, self.global_epochs, self.critic_steps) < 1:
            raise RecollectError(
                f"epochs is {self.local_epochs}, global_epochs {self.global_epochs}, critic_steps "
                f"{self.critic_steps}: all must be at least 1"
            )


class LocalGAN(nn.Module):
    """Generator and critic of one task."""

    def __init__(self, generator: Generator, critic: Critic) -> None:
        super().__init__()
        self.generator, self.critic = generator, critic


class AdaptAlignGAN(ContinualGenerator):
    """Local WGAN-GP, translator warm-up, global regression.

    Attributes:
        model: the local generator and the critic, which goes on from task to task.
        noises: (N, latent), noise of every current image in the mode ``inversion``; dropped after the task.
    """

    def __init__(self, *, schedule: Schedule, value_range: tuple[float, float], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.schedule = schedule
        self.low, self.width = value_range[0], value_range[1] - value_range[0]
        self.latent = self.model.generator.latent
        self.noises: Tensor | None = None
        self.generator_optimizer: torch.optim.Optimizer | None = None

    @classmethod
    def make(cls, setting: Setting, schedule: Schedule, *, condition: str, latent: int, features: int) -> Self:
        """The strategy with new networks; arguments as in :func:`build`."""
        n_ids, shape = setting.n_tasks if condition == "task" else setting.n_classes, setting.input_shape
        generator = Generator(input_shape=shape, latent=latent, f=features, n_tasks=n_ids)
        critic = Critic(input_shape=shape, f=features, n_classes=n_ids if condition == "class" else 0)
        arguments = setting.arguments(LocalGAN(generator, critic).to(setting.device))
        return cls(schedule=schedule, condition=condition, value_range=setting.value_range, **arguments)

    def local_generator(self) -> Generator:
        """The local generator, its translator included."""
        return self.model.generator

    def signed(self, x: Tensor) -> Tensor:
        """Pixels of the data in [-1, 1]."""
        return (x - self.low) * (2 / self.width) - 1

    def unsigned(self, x: Tensor) -> Tensor:
        """Generations on the scale of the data."""
        return (x + 1) * (self.width / 2) + self.low

    # Phases --------------------------------------------------------------------------------------

    def phases(self) -> Sequence[Phase]:
        """Local only for the first task; then local, translator, global."""
        s = self.schedule
        local: dict[str, Any] = {
            "parameters": self.model.critic.parameters, "lr": s.local_lr, "betas": BETAS,
            "weight_decay": s.critic_weight_decay, "lr_decay": s.lr_decay,
        }  # fmt: skip
        if self.tasks_learned == 0:
            return [Phase("local", s.local_epochs + s.global_epochs, **local)]
        warm = min(s.warmup_epochs, s.global_epochs)
        joint: dict[str, Any] = {"lr": s.global_lr, "lr_decay": s.lr_decay, "batches": self.mixed_batches}
        return [
            Phase("local", s.local_epochs, **local),
            Phase("translator", warm, self.world.translator_parameters, **joint),
            Phase("global", s.global_epochs - warm, self.world.parameters, **joint),
        ]

    def start_phase(self) -> None:
        """The local generator starts as a copy of the global one, which is frozen before it changes."""
        if self.phase.name == "local" and self.world is not None:
            self.model.generator.load_state_dict(self.world.state_dict())
        if self.phase.name == "translator":
            self.old = frozen(self.world)
            if self.schedule.current == "inversion":
                with self.timed("noise inversion"):
                    local, s = frozen(self.model.generator), self.schedule
                    self.noises = self.invert(local, s.inversion_steps, s.inversion_lr)

    def enter_phase(self) -> None:
        """Only what a phase trains asks for gradients; the local phase has a second optimizer."""
        super().enter_phase()
        is_local = self.phase.name == "local"
        self.model.train(is_local).requires_grad_(is_local)
        self.generator_optimizer = None
        if is_local:
            generator = self.model.generator.parameters()
            self.generator_optimizer = Adam(generator, lr=self.schedule.local_lr, betas=BETAS)
        if self.world is not None:
            self.world.train().requires_grad_(True).network.requires_grad_(self.phase.name != "translator")

    def _after_training_epoch(self, **kwargs: Any) -> None:
        if self.generator_optimizer is not None:
            decay(self.generator_optimizer, self.phase.lr_decay)
        super()._after_training_epoch(**kwargs)

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self.noises = self.generator_optimizer = None

    # Losses --------------------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Generations for the mini-batch: fakes in the local phase, without gradient."""
        if self.phase.name != "local":
            _, _, ids, z = self.mbatch
            return self.world(z, ids)
        with torch.no_grad():
            return self.fakes()

    def fakes(self) -> Tensor:
        """As many fresh generations of the local generator as the mini-batch has images, of the same ids."""
        z = torch.randn(len(self.mb_x), self.latent, device=self.device)
        return self.model.generator(z, self.ids(self.mb_y))

    def training_loss(self) -> Tensor:
        """Equation 3 (the critic's) in the local phase, equations 5 and 6 in the global ones."""
        if self.phase.name != "local":
            return mse_loss(self.mb_output, self.mb_x)
        critic, real, fake = self.critic(), self.signed(self.mb_x), self.mb_output
        penalty = gradient_penalty(critic, real, fake)
        return critic(fake).mean() - critic(real).mean() + self.schedule.penalty * penalty

    def critic(self) -> Callable[[Tensor], Tensor]:
        """D, told the classes of the mini-batch where the generator is."""
        labels = self.mb_y
        return self.model.critic if self.condition == "task" else lambda x: self.model.critic(x, labels)

    def optimizer_step(self) -> None:
        """After the critic's update, every few batches one of the generator (equation 4)."""
        super().optimizer_step()
        if self.generator_optimizer is None or self.clock.train_epoch_iterations % self.schedule.critic_steps:
            return
        self.model.critic.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        (-self.critic()(self.fakes()).mean()).backward()
        self.generator_optimizer.step()
        self.model.critic.requires_grad_(True)

    # Replay --------------------------------------------------------------------------------------

    def mixed_batches(self) -> MixedBatches:
        """Pairs of the current task beside generations of the frozen generator."""
        self.current, size = self.images(), self.train_mb_size
        share, among = self.schedule.replay_share, len(self.learned)
        self.counts = replay_counts(size, self.tasks_learned, share, equal=True, among=among)
        self.local = frozen(self.model.generator)
        return MixedBatches(
            iterations=-(-len(self.current) // size), rows=sum(self.counts) + size, batch_size=size,
            make_block=self.make_block, start_epoch=self.start_epoch, generator=self.generator,
        )  # fmt: skip

    def start_epoch(self, generator: torch.Generator) -> None:
        """The order of the current images, whose noises or ids are used; a pass that starts again when used up."""
        wanted = self.dataloader.iterations * self.train_mb_size
        self.order = cycled_order(len(self.current), wanted, generator).to(self.device)

    @torch.no_grad()
    def make_block(self, first: int, count: int, generator: torch.Generator) -> list[Rows]:
        """Rows (target, is old, id, z) of ``count`` iterations, each shuffled."""
        n_old, size = sum(self.counts), self.train_mb_size
        z = torch.randn(count, n_old + size, self.latent, generator=generator).to(self.device)
        learned = torch.tensor(self.learned, device=self.device)
        old_ids = torch.repeat_interleave(learned, torch.tensor(self.counts, device=self.device))
        targets = self.old(z[:, :n_old].flatten(0, 1), old_ids.repeat(count)).unflatten(0, (count, -1))
        index = self.order[first * size : (first + count) * size]
        new_z, new_ids, new_targets = self.current_pairs(z[:, n_old:].flatten(0, 1), index)
        target, z = _join(targets, new_targets), _join(z[:, :n_old], new_z)
        ids = _join(old_ids.expand(count, -1), new_ids)
        is_old = torch.arange(n_old + size, device=self.device) < n_old
        orders = [torch.randperm(n_old + size, generator=generator).to(self.device) for _ in range(count)]
        return [(target[i][o], is_old[o], ids[i][o], z[i][o]) for i, o in enumerate(orders)]

    def current_pairs(self, z: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Noise (n, latent), ids (n,) and images: generated, or real ones at ``index`` with inverted noise."""
        ids = self.ids(self.current.labels[index])
        if self.noises is not None:
            return self.noises[index], ids, self.signed(self.current.gather(index))
        return z, ids, self.local(z, ids)

    def invert(self, generator: Generator, steps: int, lr: float) -> Tensor:
        """For every current image the noise (N, latent) whose generation is nearest to it in squared error."""
        images = self.images()
        found = []
        for index in torch.arange(len(images), device=self.device).split(INVERSION_ROWS):
            x, ids = self.signed(images.gather(index)), self.ids(images.labels[index])
            z = torch.randn(len(index), self.latent, device=self.device).requires_grad_(True)
            optimizer = Adam([z], lr=lr)
            for _ in range(steps):
                optimizer.zero_grad()
                # Summed over images: the size of a gradient against Adam's epsilon is that of one image alone.
                (mse_loss(generator(z, ids), x) * len(x)).backward()
                optimizer.step()
            found.append(z.detach())
        return torch.cat(found)

    # What others ask -----------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, task: int, generator: torch.Generator) -> Tensor:
        """``n`` images (n, C, H, W) of a task from the global generator, on the scale of the data."""
        z = torch.randn(n, self.latent, generator=generator).to(self.device)
        return self.unsigned(self.world.eval()(z, self.drawn_ids(n, task, generator)))

    def snapshot(self) -> dict[str, Tensor]:
        """Global and local generator."""
        return {**pack({"world": self.world, "local": self.model.generator}), **self.packed_ids()}

    def load_snapshot(self, tensors: dict[str, Tensor]) -> None:
        """Become the model that made a snapshot, to sample from it."""
        self.world = deepcopy(self.model.generator)
        unpack(tensors, {"world": self.world, "local": self.model.generator})
        self.unpack_ids(tensors)

    def extra_state(self) -> dict[str, Any]:
        """Global generator; inside a task also the frozen one, inverted noises and the second optimizer."""
        state = super().extra_state()
        if self.noises is not None:
            state["noises"] = self.noises
        if self.generator_optimizer is not None:
            state["optimizer"] = self.generator_optimizer.state_dict()
        return state

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.noises = state.get("noises")
        if self.generator_optimizer is not None:
            self.generator_optimizer.load_state_dict(state["optimizer"])


def _join(old: Tensor, new: Tensor) -> Tensor:
    """(count, a, ...) and (count * b, ...) to (count, a + b, ...)."""
    return torch.cat([old, new.unflatten(0, (len(old), -1))], dim=1)


def build(
    *,
    setting: Setting,
    condition: Literal["task", "class"] = "task",
    latent: int = 100,
    features: int = 32,
    global_epochs: int = 200,
    warmup_epochs: int = 5,
    global_lr: float = 0.001,
    lr_decay: float = 0.99,
    critic_weight_decay: float = 0.001,
    penalty: float = 10.0,
    critic_steps: int = 5,
    replay_share: float = 0.5,
    current: Literal["generations", "inversion"] = "generations",
    inversion_steps: int = 1000,
    inversion_lr: float = 0.1,
) -> Strategy:
    """Adapt & Align GAN; ``epochs`` and ``lr`` of the settings are those of the local phase.

    Args:
        condition: what generator (and, for classes, critic) are told, the task (as published) or the class.
        latent: dimension of the noise and of the aligned space.
        features: f, the width of the networks.
        global_epochs: of which the first ``warmup_epochs`` train the translator alone.
        critic_weight_decay: of the critic's optimizer; the settings' weight_decay must stay 0.
        penalty: lambda of the gradient penalty.
        critic_steps: updates of the critic per update of the generator.
        replay_share: replayed rows per current row and old task, for at most three tasks (limit_previous).
        current: pairs of the current task in the global phase.
        inversion_steps, inversion_lr: of the search for noise in the mode inversion.

    Raises:
        RecollectError: a value without meaning, or no networks for the image size.
    """
    t = setting.train
    schedule = Schedule(
        local_epochs=t.epochs, global_epochs=global_epochs, warmup_epochs=warmup_epochs, local_lr=t.lr,
        global_lr=global_lr, lr_decay=lr_decay, critic_weight_decay=critic_weight_decay, penalty=penalty,
        critic_steps=critic_steps, replay_share=replay_share, current=current, inversion_steps=inversion_steps,
        inversion_lr=inversion_lr,
    )  # fmt: skip
    return AdaptAlignGAN.make(setting, schedule, condition=condition, latent=latent, features=features)
