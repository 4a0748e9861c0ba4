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

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from recollect.engine.images import ready_images
from recollect.engine.mixed import MixedBatches, Rows
from recollect.engine.phases import Phase, decay
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
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
    critic_weight_decay: float
    penalty: float
    critic_steps: int
    replay_share: float
    current: str
    inversion_steps: int
    inversion_lr: float


class LocalGAN(nn.Module):
    """Generator and critic of one task."""

    def __init__(self, generator: Generator, critic: Critic) -> None:
        super().__init__()
        self.generator, self.critic = generator, critic


class AdaptAlignGAN(Strategy):
    """Local WGAN-GP, translator warm-up, global regression.

    Attributes:
        model: the local generator and the critic, which goes on from task to task.
        world: the global generator, the continual model; None before the first task ends.
        noises: (N, latent), noise of every current image in the mode ``inversion``; dropped after the task.
    """

    classifies = False

    def __init__(self, *, schedule: Schedule, value_range: tuple[float, float], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.schedule = schedule
        self.low, self.width = value_range[0], value_range[1] - value_range[0]
        self.latent = self.model.generator.latent
        self.world: Generator | None = None
        self.old: Generator | None = None
        self.noises: Tensor | None = None
        self.generator_optimizer: torch.optim.Optimizer | None = None

    @property
    def task(self) -> int:
        """Number of the current task."""
        return getattr(self.experience, "task_number", self.experience.current_experience)

    def signed(self, x: Tensor) -> Tensor:
        """Pixels of the data in [-1, 1]."""
        return (x - self.low) * (2 / self.width) - 1

    def tasks(self, n: int, task: int) -> Tensor:
        """``task`` n times."""
        return torch.full((n,), task, device=self.device)

    # Phases --------------------------------------------------------------------------------------

    def phases(self) -> Sequence[Phase]:
        """Local only for the first task; then local, translator, global."""
        s = self.schedule
        local: dict[str, Any] = {
            "parameters": self.model.critic.parameters, "lr": s.local_lr, "betas": BETAS,
            "weight_decay": s.critic_weight_decay, "lr_decay": s.lr_decay,
        }  # fmt: skip
        if self.world is None:
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
            assert self.world is not None
            self.old = frozen(self.world)
            if self.schedule.current == "inversion":
                with self.timed("noise inversion"):
                    self.noises = self.invert()

    def enter_phase(self) -> None:
        """Only what a phase trains asks for gradients; the local phase has a second optimizer."""
        super().enter_phase()
        is_local = self.phase.name == "local"
        self.model.train(is_local).requires_grad_(is_local)
        self.generator_optimizer = None
        if is_local:
            generator = self.model.generator.parameters()
            self.generator_optimizer = torch.optim.Adam(
                generator, lr=self.schedule.local_lr, betas=BETAS, fused=True
            )
        if self.world is not None:
            self.world.train().requires_grad_(True).network.requires_grad_(self.phase.name != "translator")

    def _after_training_epoch(self, **kwargs: Any) -> None:
        if self.generator_optimizer is not None:
            decay(self.generator_optimizer, self.phase.lr_decay)
        super()._after_training_epoch(**kwargs)

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        if self.world is None:
            self.world = deepcopy(self.model.generator)
        self.old = self.noises = self.generator_optimizer = None

    # Losses --------------------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Generations for the mini-batch: fakes in the local phase, without gradient."""
        if self.phase.name != "local":
            assert self.world is not None
            _, _, task, z = self.mbatch
            return self.world(z, task)
        with torch.no_grad():
            return self.fakes()

    def fakes(self) -> Tensor:
        """As many fresh generations of the local generator as the mini-batch has images."""
        n = len(self.mb_x)
        z = torch.randn(n, self.latent, device=self.device)
        return self.model.generator(z, self.tasks(n, self.task))

    def training_loss(self) -> Tensor:
        """Equation 3 (the critic's) in the local phase, equations 5 and 6 in the global ones."""
        if self.phase.name != "local":
            return mse_loss(self.mb_output, self.mb_x)
        critic, real, fake = self.model.critic, self.signed(self.mb_x), self.mb_output
        penalty = gradient_penalty(critic, real, fake)
        return critic(fake).mean() - critic(real).mean() + self.schedule.penalty * penalty

    def optimizer_step(self) -> None:
        """After the critic's update, every few batches one of the generator (equation 4)."""
        super().optimizer_step()
        if self.generator_optimizer is None or self.clock.train_epoch_iterations % self.schedule.critic_steps:
            return
        self.model.critic.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        (-self.model.critic(self.fakes()).mean()).backward()
        self.generator_optimizer.step()
        self.model.critic.requires_grad_(True)

    # Replay --------------------------------------------------------------------------------------

    def mixed_batches(self) -> MixedBatches:
        """Pairs of the current task beside generations of the frozen generator."""
        self.images = ready_images(self.adapted_dataset, self.device)
        self.counts = replay_counts(self.train_mb_size, self.task, self.schedule.replay_share, equal=True)
        self.local = frozen(self.model.generator)
        size = self.train_mb_size
        return MixedBatches(
            iterations=-(-len(self.images) // size), rows=sum(self.counts) + size, batch_size=size,
            make_block=self.make_block, start_epoch=self.start_epoch, generator=self.generator,
        )  # fmt: skip

    def start_epoch(self, generator: torch.Generator) -> None:
        """The order of the current images, where they are used; a pass starts again when it is used up."""
        n, wanted = len(self.images), len(self.dataloader) * self.train_mb_size
        passes = [torch.randperm(n, generator=generator) for _ in range(-(-wanted // n))]
        self.order = torch.cat(passes).to(self.device)

    @torch.no_grad()
    def make_block(self, first: int, count: int, generator: torch.Generator) -> list[Rows]:
        """Rows (target, task, task, z) of ``count`` iterations, each shuffled."""
        assert self.old is not None
        rows = sum(self.counts) + self.train_mb_size
        z = torch.randn(count, rows, self.latent, generator=generator).to(self.device)
        old_z, old_task = z[:, : sum(self.counts)], self.old_tasks()
        targets = self.old(old_z.flatten(0, 1), old_task.repeat(count)).unflatten(0, (count, -1))
        new_z, new_targets = self.current_pairs(z[:, sum(self.counts) :], first, count)
        target, z = torch.cat([targets, new_targets], dim=1), torch.cat([old_z, new_z], dim=1)
        task = torch.cat([old_task, self.tasks(self.train_mb_size, self.task)])
        orders = [torch.randperm(rows, generator=generator).to(self.device) for _ in range(count)]
        return [(target[i][o], task[o], task[o], z[i][o]) for i, o in enumerate(orders)]

    def old_tasks(self) -> Tensor:
        """The old task of every replayed row of an iteration."""
        return torch.repeat_interleave(torch.arange(self.task), torch.tensor(self.counts)).to(self.device)

    def current_pairs(self, z: Tensor, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Noise (count, n, latent) and images (count, n, C, H, W): generated, or real with inverted noise."""
        if self.noises is not None:
            index = self.order[first * z.shape[1] : (first + count) * z.shape[1]]
            images = self.signed(self.images.gather(index))
            return self.noises[index].unflatten(0, (count, -1)), images.unflatten(0, (count, -1))
        images = self.local(z.flatten(0, 1), self.tasks(count * z.shape[1], self.task))
        return z, images.unflatten(0, (count, -1))

    def invert(self) -> Tensor:
        """For every current image the noise (N, latent) whose generation is nearest to it in squared error."""
        images, local = ready_images(self.adapted_dataset, self.device), frozen(self.model.generator)
        found = []
        for index in torch.arange(len(images), device=self.device).split(INVERSION_ROWS):
            x, task = self.signed(images.gather(index)), self.tasks(len(index), self.task)
            z = torch.randn(len(index), self.latent, device=self.device).requires_grad_(True)
            optimizer = torch.optim.Adam([z], lr=self.schedule.inversion_lr, fused=True)
            for _ in range(self.schedule.inversion_steps):
                optimizer.zero_grad()
                # Summed over images: the size of a gradient against Adam's epsilon is that of one image alone.
                (mse_loss(local(z, task), x) * len(x)).backward()
                optimizer.step()
            found.append(z.detach())
        return torch.cat(found)

    # What others ask -----------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, task: int, generator: torch.Generator) -> Tensor:
        """``n`` images (n, C, H, W) of a task from the global generator, on the scale of the data."""
        assert self.world is not None
        z = torch.randn(n, self.latent, generator=generator).to(self.device)
        return (self.world.eval()(z, self.tasks(n, task)) + 1) * (self.width / 2) + self.low

    def snapshot(self) -> dict[str, Tensor]:
        """Global and local generator."""
        assert self.world is not None
        return pack({"world": self.world, "local": self.model.generator})

    def load_snapshot(self, tensors: dict[str, Tensor]) -> None:
        """Become the model that made a snapshot, to sample from it."""
        self.world = deepcopy(self.model.generator)
        unpack(tensors, {"world": self.world, "local": self.model.generator})

    def extra_state(self) -> dict[str, Any]:
        """Global generator; inside a task also the frozen one, inverted noises and the second optimizer."""
        nets = {name: net.state_dict() for name in ("world", "old") if (net := getattr(self, name)) is not None}
        state: dict[str, Any] = {**nets}
        if self.noises is not None:
            state["noises"] = self.noises
        if self.generator_optimizer is not None:
            state["optimizer"] = self.generator_optimizer.state_dict()
        return state

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        for name in ("world", "old"):
            if name not in state:
                setattr(self, name, None)
                continue
            if getattr(self, name) is None:  # else the optimizer knows its parameters
                setattr(self, name, deepcopy(self.model.generator))
            getattr(self, name).load_state_dict(state[name])
        if self.old is not None:
            self.old = frozen(self.old)
        self.noises = state.get("noises")
        if self.generator_optimizer is not None:
            self.generator_optimizer.load_state_dict(state["optimizer"])


def build(
    *,
    setting: Setting,
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
    if t.epochs < 1 or global_epochs < 1 or critic_steps < 1:
        raise RecollectError(
            f"epochs is {t.epochs}, global_epochs {global_epochs}, critic_steps {critic_steps}: "
            "all must be at least 1"
        )
    schedule = Schedule(
        local_epochs=t.epochs, global_epochs=global_epochs, warmup_epochs=warmup_epochs, local_lr=t.lr,
        global_lr=global_lr, lr_decay=lr_decay, critic_weight_decay=critic_weight_decay, penalty=penalty,
        critic_steps=critic_steps, replay_share=replay_share, current=current, inversion_steps=inversion_steps,
        inversion_lr=inversion_lr,
    )  # fmt: skip
    shape = setting.input_shape
    generator = Generator(input_shape=shape, latent=latent, f=features, n_tasks=setting.n_tasks)
    model = LocalGAN(generator, Critic(input_shape=shape, f=features)).to(setting.device)
    return AdaptAlignGAN(schedule=schedule, value_range=setting.value_range, **setting.arguments(model))
