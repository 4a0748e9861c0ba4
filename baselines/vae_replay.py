"""Generative replay for generators: the comparators of Adapt & Align, with its very networks and budget.

One conditional VAE (encoder, translator with task codes, decoder) is trained on every task in turn:

    L = ELBO(x_k, k) + sum_{i<k} ELBO(x~_i, i),   x~_i ~ the frozen model from before task k, of task i

Generations pass through the encoder like images (Shin et al. 2017); what Adapt & Align adds, regression on
shared latents instead of re-encoding, is absent. ``data: current`` leaves the sum out (naive, the lower bound);
``data: joint`` trains once on the real images of all tasks (the upper bound).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor

from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.engine.union import union
from recollect.errors import RecollectError
from recollect.generation.latents import codes, count_ones, prior, settle_ones
from recollect.generation.pixels import check_pixels
from recollect.generation.shares import replay_counts
from recollect.generation.snapshots import frozen, pack, unpack
from recollect.models.multiband import Decoder, Encoder, task_codes
from recollect.models.multiband_vae import (
    MultibandVAE,
    divergence,
    posterior_draw,
    reconstruction_loss,
    relaxed_binary,
    temperature,
)


class VAEReplay(Strategy):
    """A conditional VAE with or without replay.

    Attributes:
        ones: (T, B), probability of a one in every binary latent of a task.
        old: the frozen decoder that replays; None during the first task and without replay.
    """

    classifies = False
    encoder_is_local = False

    def __init__(
        self, *, data: str, n_tasks: int, lr: float, lr_decay: float, weight_decay: float, clip_value: float,
        reconstruction: str, reconstruction_weight: float, replay_share: float, **arguments: Any,
    ) -> None:  # fmt: skip
        super().__init__(**arguments)
        self.data, self.replay_share = data, replay_share
        self.adam: dict[str, Any] = {
            "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "clip_value": clip_value,
        }  # fmt: skip
        self.reconstruction, self.reconstruction_weight = reconstruction, reconstruction_weight
        self.latent, _, self.binary = self.model.encoder.heads.sizes
        self.ones = torch.full((n_tasks, self.binary), 0.5, device=self.device)
        self.sums = torch.zeros(n_tasks, self.binary + 1, device=self.device)
        self.tasks_learned = 0
        self.old: Decoder | None = None

    def curriculum(self, stream: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """One task after another, or all at once."""
        if self.data == "joint":
            experiences = list(stream)
            yield len(experiences) - 1, union(experiences)
        else:
            yield from enumerate(stream)

    def phases(self) -> Sequence[Phase]:
        """One, with a fresh optimizer in every task."""
        return [Phase("train", self.train_epochs, self.model.parameters, **self.adam)]

    def start_phase(self) -> None:
        """Freeze what will be replayed."""
        if self.tasks_learned and self.data == "replay":
            self.old = frozen(self.model.decoder)

    def forward(self) -> Tensor:
        """Raw reconstructions of the mini-batch and, behind it, of replayed images."""
        self.x, self.tasks = self.mb_x, self.current_tasks()
        if self.old is not None:
            replayed, tasks = self.replay()
            self.x, self.tasks = torch.cat([self.x, replayed]), torch.cat([self.tasks, tasks])
        self.mean, self.log_variance, logits = self.model.encoder(self.x)
        b = relaxed_binary(logits, temperature(self.epoch, self.train_epochs))
        self._note_ones(b.detach()[: len(self.mb_x)])
        return self.model.decoder(posterior_draw(self.mean, self.log_variance), b, self.tasks)

    def current_tasks(self) -> Tensor:
        """Task of every image of the mini-batch."""
        if self.data == "joint":
            assert self.mb_tasks is not None
            return self.mb_tasks
        return torch.full((len(self.mb_x),), self.tasks_learned, device=self.device)

    @torch.no_grad()
    def replay(self) -> tuple[Tensor, Tensor]:
        """Images of the frozen decoder and their tasks."""
        assert self.old is not None
        counts = replay_counts(self.train_mb_size, self.tasks_learned, self.replay_share)
        numbers = torch.repeat_interleave(torch.arange(self.tasks_learned), torch.tensor(counts))
        tasks = numbers.to(self.device)
        z = torch.randn(len(tasks), self.latent, device=self.device)
        b = codes(torch.rand(len(tasks), self.binary, device=self.device), self.ones[tasks])
        return self.old.images(z, b, tasks), tasks

    def training_loss(self) -> Tensor:
        """Negative evidence lower bound, mean over current and replayed images."""
        error = reconstruction_loss(self.model.decoder, self.mb_output, self.x, self.reconstruction)
        total = self.reconstruction_weight * error + divergence(self.mean, self.log_variance)
        return total / len(self.x)

    def _note_ones(self, b: Tensor) -> None:
        if self.epoch + 1 == self.train_epochs:
            count_ones(self.sums, self.tasks[: len(b)], b)

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        settle_ones(self.ones, self.sums)
        self.tasks_learned += 1
        self.old = None

    @torch.no_grad()
    def sample(self, n: int, task: int, generator: torch.Generator) -> Tensor:
        """``n`` images (n, C, H, W) of a task."""
        z, b = prior(generator, n, self.latent, self.ones[task])
        return self.model.eval().decoder.images(z, b, torch.full((n,), task, device=self.device))

    @property
    def encoder(self) -> Encoder:
        """In evaluation mode."""
        return self.model.encoder.eval()

    @property
    def decoder(self) -> Decoder:
        """The continual model, in evaluation mode."""
        return self.model.decoder.eval()

    def snapshot(self) -> dict[str, Tensor]:
        """Decoder, encoder and binary latents."""
        return {"ones": self.ones, **pack({"world": self.model.decoder, "encoder": self.model.encoder})}

    def load_snapshot(self, tensors: dict[str, Tensor]) -> None:
        """Become the model that made a snapshot, to sample from it."""
        self.ones = tensors["ones"].to(self.device)
        unpack(tensors, {"world": self.model.decoder, "encoder": self.model.encoder})

    def extra_state(self) -> dict[str, Any]:
        """Binary latents, and inside a task the frozen decoder."""
        state: dict[str, Any] = {"ones": self.ones, "sums": self.sums, "tasks_learned": self.tasks_learned}
        return state if self.old is None else {**state, "old": self.old.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        self.ones, self.sums = state["ones"].clone(), state["sums"].clone()
        self.tasks_learned, self.old = state["tasks_learned"], None
        if "old" in state:
            old = deepcopy(self.model.decoder)
            old.load_state_dict(state["old"])
            self.old = frozen(old)


def build(
    *,
    setting: Setting,
    data: Literal["replay", "current", "joint"] = "replay",
    network: Literal["fc", "conv"] = "fc",
    latent: int = 8,
    binary: int = 4,
    gen_d: int = 32,
    code_bits: int = 4,
    code_prime: int = 9,
    lr_decay: float = 0.99,
    clip_value: float = 4.0,
    reconstruction: Literal["bce", "mse"] = "mse",
    reconstruction_weight: float = 1.0,
    replay_share: float = 0.5,
) -> Strategy:
    """A conditional VAE; arguments as in ``methods/adapt_align_vae.py``, ``data`` says what it is trained on.

    Raises:
        RecollectError: no epoch, too few code bits, no network for the image size, or one whose output cannot
            reach the values of the data.
    """
    t = setting.train
    if t.epochs < 1:
        raise RecollectError(f"epochs is {t.epochs}: a generator needs at least 1")
    shape: dict[str, Any] = {
        "input_shape": setting.input_shape, "network": network, "latent": latent, "binary": binary, "d": gen_d,
    }  # fmt: skip
    decoder = Decoder(**shape, codes=task_codes(setting.n_tasks, code_bits, code_prime))
    check_pixels(decoder, setting.value_range, reconstruction)
    model = MultibandVAE(Encoder(**shape), decoder).to(setting.device)
    return VAEReplay(
        data=data, n_tasks=setting.n_tasks, lr=t.lr, lr_decay=lr_decay, weight_decay=t.weight_decay,
        clip_value=clip_value, reconstruction=reconstruction, reconstruction_weight=reconstruction_weight,
        replay_share=replay_share, **setting.arguments(model),
    )  # fmt: skip
