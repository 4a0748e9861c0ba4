"""Adapt & Align with a VAE (Deja et al., Neurocomputing 2025; first as Multiband VAE, IJCAI 2022).

Every task k is learned twice. Local phase (eq. 1): a VAE is trained on the new data alone, through a copy of the
global decoder. Global phase (eq. 5 and 6): the global decoder p_w(t(z, b, i)) is trained on

    sum_{i<k} || x~_i - p_w(t(z, b, i)) ||^2 + || x_k - p_w(t(z_k, b_k, k)) ||^2,   x~_i = p_w_old(t_old(z, b, i))

with the same noise z for old and new network, first the translator t alone, then all of it. The sum over i < k is
what keeps old tasks. With a threshold gamma < 1 (controlled forgetting, eq. 7) a replayed target whose latent has
a current image within cosine similarity gamma is replaced by that image.

Squared errors are sums over pixels, or binary cross-entropy where the source has it (MNIST). As in the authors'
code the binary latent b carries no KL term, and b is drawn as Bernoulli(sigmoid(l)) in the global phase although
the Gumbel softmax over (l, -l) makes it Bernoulli(sigmoid(2 l)) in the local one. Decisions of ours where no
source settles it: current batches of the global phase come from a shuffled pass that starts again when it is used
up; frozen networks are in evaluation mode; the encoder-only epochs have a learning-rate schedule of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recollect.engine.mixed import MixedBatches, Rows
from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.generation.continual import ContinualGenerator
from recollect.generation.latent_replay import LatentReplay
from recollect.generation.latents import Latents, count_ones, posterior, prior, settle_ones
from recollect.generation.pixels import check_pixels
from recollect.generation.shares import replay_counts
from recollect.generation.snapshots import frozen, pack, unpack
from recollect.models.laplacian import laplacian_l1
from recollect.models.multiband import Decoder, Encoder, task_codes
from recollect.models.multiband_vae import (
    MultibandVAE,
    divergence,
    posterior_draw,
    reconstruction_loss,
    relaxed_binary,
    temperature,
)

FIRST_TASK_DECAY = 0.99
"""Learning-rate decay of the first task, whatever the schedules say."""


@dataclass(frozen=True)
class Schedule:
    """Everything about training but the networks; names as in :func:`build`."""

    local_epochs: int
    global_epochs: int
    warmup_epochs: int
    local_lr: float
    global_lr: float
    local_decay: float
    global_decay: float
    weight_decay: float
    clip_value: float
    reconstruction: str
    reconstruction_weight: float
    replay_share: float
    laplacian: bool = False
    gamma: float = 1.0
    candidates: int = 1000

    def __post_init__(self) -> None:
        if not -1 <= self.gamma <= 1:
            raise RecollectError(f"gamma is {self.gamma}, it is a cosine similarity: choose it between -1 and 1")
        if self.local_epochs < 1 or self.global_epochs < 1:
            raise RecollectError(
                f"epochs is {self.local_epochs} and global_epochs {self.global_epochs}: both must be at least 1"
            )

    @property
    def encoder_epochs(self) -> int:
        """Local epochs that train the encoder alone, from the second task on."""
        return min(self.local_epochs, 20, max(self.local_epochs // 10, 5))


class AdaptAlignVAE(ContinualGenerator):
    """Local phase, translator warm-up, global phase.

    Attributes:
        model: the local VAE.
        world: the global decoder.
        ones: (ids, B), probability of a one in every binary latent.
        replaced: (ids,), how many replayed targets controlled forgetting has replaced.
    """

    encoder_is_local = True

    def __init__(self, *, schedule: Schedule, n_ids: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.schedule = schedule
        self.latent, _, self.binary = self.model.encoder.heads.sizes
        self.ones = torch.full((n_ids, self.binary), 0.5, device=self.device)
        self.ones_sum = torch.zeros(n_ids, self.binary + 1, device=self.device)
        self.replaced = torch.zeros(n_ids, dtype=torch.long, device=self.device)

    @classmethod
    def make(
        cls, setting: Setting, schedule: Schedule, *, network: Literal["fc", "conv"], condition: str, latent: int,
        binary: int, gen_d: int, code_bits: int, code_prime: int,
    ) -> Self:  # fmt: skip
        """The strategy with new networks; arguments as in :func:`build`."""
        n_ids = setting.n_tasks if condition == "task" else setting.n_classes
        shape: dict[str, Any] = {
            "input_shape": setting.input_shape, "network": network, "latent": latent, "binary": binary, "d": gen_d,
        }  # fmt: skip
        decoder = Decoder(**shape, codes=task_codes(n_ids, code_bits, code_prime))
        check_pixels(decoder, setting.value_range, schedule.reconstruction)
        model = MultibandVAE(Encoder(**shape), decoder).to(setting.device)
        return cls(schedule=schedule, condition=condition, n_ids=n_ids, **setting.arguments(model))

    def local_generator(self) -> Decoder:
        """The local decoder, its translator included."""
        return self.model.decoder

    # Phases --------------------------------------------------------------------------------------

    def phases(self) -> Sequence[Phase]:
        """Local only for the first task; then encoder, local VAE, translator, global decoder."""
        s, local = self.schedule, self.model
        adam: dict[str, Any] = {"weight_decay": s.weight_decay, "clip_value": s.clip_value}
        if self.tasks_learned == 0:
            epochs = s.local_epochs + s.global_epochs
            return [Phase("local", epochs, local.parameters, s.local_lr, lr_decay=FIRST_TASK_DECAY, **adam)]
        first = s.encoder_epochs
        warm = min(s.warmup_epochs, s.global_epochs)
        decays: dict[str, Any] = {"lr_decay": s.global_decay, "batches": self.mixed_batches}
        return [
            Phase("encoder", first, local.encoder.parameters, s.local_lr / 10, lr_decay=s.local_decay, **adam),
            Phase("local", s.local_epochs - first, local.parameters, s.local_lr, lr_decay=s.local_decay, **adam),
            Phase("translator", warm, self.world.translator.parameters, s.global_lr, **decays),
            Phase("global", s.global_epochs - warm, self.world.parameters, s.global_lr, **decays),
        ]

    def start_phase(self) -> None:
        """The local decoder starts as a copy of the global one; the global one is frozen before it changes."""
        if self.phase_number == 0 and self.world is not None:
            self.model.decoder.load_state_dict(self.world.state_dict())
        if self.phase.name == "translator":
            self.old = frozen(self.world)

    def enter_phase(self) -> None:
        """Only what a phase trains asks for gradients."""
        super().enter_phase()
        self.model.train()
        self.model.requires_grad_(True).decoder.requires_grad_(self.phase.name != "encoder")
        if self.world is not None:
            self.world.train().requires_grad_(True).network.requires_grad_(self.phase.name != "translator")

    # Losses --------------------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Raw output of the network that is trained, for the mini-batch."""
        if self.phase.name in ("translator", "global"):
            _, _, ids, z, b = self.mbatch
            return self.world(z, b, ids)
        self.mean, self.log_variance, logits = self.model.encoder(self.mb_x)
        z = posterior_draw(self.mean, self.log_variance)
        b = relaxed_binary(logits, self.heat())
        ids = self.ids(self.mb_y)
        self._note_ones(b.detach(), ids)
        return self.model.decoder(z, b, ids)

    def training_loss(self) -> Tensor:
        """Equation 1 in the local phases, equations 5 and 6 in the global ones."""
        s = self.schedule
        error = reconstruction_loss(self.model.decoder, self.mb_output, self.mb_x, s.reconstruction)
        if self.phase.name in ("translator", "global"):
            return error
        loss = (s.reconstruction_weight * error + divergence(self.mean, self.log_variance)) / len(self.mb_x)
        if s.laplacian:
            pixels = self.model.decoder.pixels(self.mb_output)
            loss = loss + s.reconstruction_weight * 10 * pixels.shape[-1] ** 2 * laplacian_l1(pixels, self.mb_x)
        return loss

    def heat(self) -> float:
        """Temperature of the binary latent; the encoder-only epochs count as local ones."""
        s = self.schedule
        if self.tasks_learned == 0:
            return temperature(self.epoch, s.local_epochs + s.global_epochs)
        return temperature(self.epoch + (s.encoder_epochs if self.phase.name == "local" else 0), s.local_epochs)

    def _note_ones(self, b: Tensor, ids: Tensor) -> None:
        """In the last local epoch: how often every binary latent is one, over the task's data."""
        if self.phase.name == "local" and self.epoch + 1 == self.phase.epochs:
            count_ones(self.ones_sum, ids, b)

    def _after_training_epoch(self, **kwargs: Any) -> None:
        if self.phase.name == "local" and self.epoch == self.phase.epochs:
            settle_ones(self.ones, self.ones_sum)
        super()._after_training_epoch(**kwargs)

    # Replay --------------------------------------------------------------------------------------

    def mixed_batches(self) -> MixedBatches:
        """Current images with their latents beside generations of the frozen decoder with theirs."""
        self.model.eval().requires_grad_(False)
        images, size = self.images(), self.train_mb_size
        self.replay = LatentReplay(
            images=images, ids=lambda index: self.ids(images.labels[index]), encode=self.encode, old=self.old,
            old_ids=torch.tensor(self.learned, device=self.device), ones=self.ones, latent=self.latent,
            batch_size=size,
            counts=replay_counts(size, self.tasks_learned, self.schedule.replay_share, among=len(self.learned)),
            candidates=self.schedule.candidates if self.schedule.gamma < 1 else 0,
        )  # fmt: skip
        return self.replay.batches(self.generator, adjust=self.forget)

    @torch.no_grad()
    def encode(self, x: Tensor, generator: torch.Generator) -> Latents:
        """A posterior sample of images; the encoder is frozen throughout the global phase."""
        return posterior(self.model.encoder.eval()(x), generator)

    @torch.no_grad()
    def forget(self, rows: Rows) -> Rows:
        """Controlled forgetting, equation 7: targets near a current image in Z become that image."""
        if self.phase.name != "global" or self.epoch < 1 or self.replay.candidates is None:
            return rows
        target, is_old, ids, z, b = rows
        x, current_ids, current_z, current_b = self.replay.candidates
        old = torch.nonzero(is_old).flatten()
        there = normalize(self.world.translator(current_z, current_b, current_ids))
        best, nearest = (normalize(self.world.translator(z[old], b[old], ids[old])) @ there.T).max(dim=1)
        near = best > self.schedule.gamma
        target = target.clone()
        target[old[near]] = x[nearest[near]]
        self.replaced.index_add_(0, ids[old[near]], torch.ones_like(old[near]))
        return target, is_old, ids, z, b

    # What others ask -----------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, task: int, generator: torch.Generator) -> Tensor:
        """``n`` images (n, C, H, W) of a task from the global decoder."""
        ids = self.drawn_ids(n, task, generator)
        z, b = prior(generator, n, self.latent, self.ones[ids])
        return self.world.eval().images(z, b, ids)

    @property
    def encoder(self) -> Encoder:
        """In evaluation mode."""
        return self.model.encoder.eval()

    @property
    def decoder(self) -> Decoder:
        """The continual model, in evaluation mode."""
        return self.world.eval()

    def notes(self) -> dict[str, Any]:
        """How many replayed targets of every task (or class) were replaced."""
        return {"replaced_targets": self.replaced.tolist()}

    def snapshot(self) -> dict[str, Tensor]:
        """Global decoder, encoder, local decoder and binary latents."""
        nets = {"world": self.world, "encoder": self.model.encoder, "local": self.model.decoder}
        return {"ones": self.ones, **pack(nets), **self.packed_ids()}

    def load_snapshot(self, tensors: dict[str, Tensor]) -> None:
        """Become the model that made a snapshot, to sample from it."""
        self.world = deepcopy(self.model.decoder)
        unpack(tensors, {"world": self.world, "encoder": self.model.encoder, "local": self.model.decoder})
        self.unpack_ids(tensors)
        self.ones = tensors["ones"].to(self.device)
        self.model.eval()

    def extra_state(self) -> dict[str, Any]:
        """Global decoder and binary latents; inside the global phase the frozen decoder too."""
        tensors = {"ones": self.ones, "ones_sum": self.ones_sum, "replaced": self.replaced}
        return {**super().extra_state(), **tensors}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        for name in ("ones", "ones_sum", "replaced"):
            setattr(self, name, state[name].clone())


def build(
    *,
    setting: Setting,
    network: Literal["fc", "conv"] = "fc",
    condition: Literal["task", "class"] = "task",
    latent: int = 8,
    binary: int = 4,
    gen_d: int = 32,
    code_bits: int = 4,
    code_prime: int = 9,
    global_epochs: int = 140,
    warmup_epochs: int = 5,
    global_lr: float = 0.001,
    local_decay: float = 0.98,
    global_decay: float = 0.98,
    clip_value: float = 4.0,
    reconstruction: Literal["bce", "mse"] = "mse",
    reconstruction_weight: float = 1.0,
    laplacian: bool = False,
    replay_share: float = 0.5,
    gamma: float = 1.0,
    candidates: int = 1000,
) -> Strategy:
    """Adapt & Align VAE; ``epochs``, ``lr`` and ``weight_decay`` of the settings are those of the local phase.

    Args:
        network: fully connected or convolutional.
        condition: what the translator is told, the task (as published) or the class.
        latent, binary, gen_d: L, B and d; the aligned space has latent * gen_d dimensions.
        code_bits, code_prime: of the task codes.
        global_epochs: of which the first ``warmup_epochs`` train the translator alone.
        reconstruction_weight: of the reconstruction against the divergence (s_rec).
        replay_share: replayed rows per current row and old task, for at most three tasks (limit_previous).
        gamma: cosine similarity above which a replayed target is replaced; 1 replaces nothing.
        candidates: current images among which replacements are sought.

    Raises:
        RecollectError: a value without meaning, too few code bits, or no network for the images.
    """
    t = setting.train
    schedule = Schedule(
        local_epochs=t.epochs, global_epochs=global_epochs, warmup_epochs=warmup_epochs, local_lr=t.lr,
        global_lr=global_lr, local_decay=local_decay, global_decay=global_decay, weight_decay=t.weight_decay,
        clip_value=clip_value, reconstruction=reconstruction, reconstruction_weight=reconstruction_weight,
        laplacian=laplacian, replay_share=replay_share, gamma=gamma, candidates=candidates,
    )  # fmt: skip
    return AdaptAlignVAE.make(
        setting, schedule, network=network, condition=condition, latent=latent, binary=binary, gen_d=gen_d,
        code_bits=code_bits, code_prime=code_prime,
    )  # fmt: skip
