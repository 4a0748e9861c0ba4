"""Deep Generative Replay (Shin et al. 2017) with a variational autoencoder.

A scholar is a generator G and a solver S. At task t (from 1), with the frozen scholar of task t - 1:

    x~ ~ G_{t-1},  y~ = argmax S_{t-1}(x~),  r = 1 / t
    S_t minimises r * CE(x, y) + (1 - r) * CE(x~, y~)
    G_t minimises r * ELBO-loss(x) + (1 - r) * ELBO-loss(x~)

Both are trained in every step on the same replayed batch, as large as the real one (van de Ven et al. 2022).
No real image is kept. Deliberate deviation: replayed pixels are the decoder's means, not Bernoulli draws.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recollect.engine.one_pass import in_one_pass
from recollect.engine.optimizers import Adam
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.models.vae import VAE


class GenerativeReplay(Strategy):
    """Trains solver and generator side by side."""

    def __init__(
        self, *, generator_model: VAE, generator_optimizer: torch.optim.Optimizer, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.vae, self.vae_optimizer = generator_model, generator_optimizer
        self.old_vae: VAE | None = None
        self.old_solver: nn.Module | None = None
        self.old_seen: list[int] = []
        self.tasks_learned = 0
        self.replayed: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    @torch.no_grad()
    def replay(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images of the frozen generator, the frozen solver's labels, and the tasks of these labels."""
        assert self.old_vae is not None
        assert self.old_solver is not None
        x = self.old_vae.sample(batch, self.device)
        classes = torch.tensor(self.old_seen, device=self.device)
        y = classes[self.old_solver(x)[:, classes].argmax(1)]
        return x, y, self.outputs.first_task()[y]

    def forward(self) -> Tensor:
        """The solver's logits of the current batch; those of the replayed one come from the same pass."""
        self.replayed = None
        if not self.is_training or self.old_vae is None:
            return super().forward()
        x, y, task = self.replay(len(self.mb_x))
        current, replayed = in_one_pass(self.model, [self.mb_x, x])
        self.replayed = (replayed, x, y, task)
        return current

    def training_loss(self) -> Tensor:
        """The solver's loss; the generator makes its own step on the same batches."""
        loss, images = super().training_loss(), None
        share = 1 / (self.tasks_learned + 1)
        if self.replayed is not None:
            logits, images, y, task = self.replayed
            loss = share * loss + (1 - share) * self.classification_loss(logits, y, task)
        generator_loss = self._generator_step(self.mb_x, images, share)
        return loss + 0 * generator_loss  # so that a generator that diverges is noticed

    def _generator_step(self, x: Tensor, replayed: Tensor | None, share: float) -> Tensor:
        if replayed is None:
            loss = self.vae.loss(x)
        else:  # no image's loss depends on the others: one pass
            current, old = self.vae.losses(torch.cat([x, replayed])).split([len(x), len(replayed)])
            loss = share * current.mean() + (1 - share) * old.mean()
        self.vae_optimizer.zero_grad()
        loss.backward()
        self.vae_optimizer.step()
        return loss.detach()

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self._freeze(
            self.vae.state_dict(), self.model.state_dict(), list(self.outputs.seen), self.tasks_learned + 1
        )

    def _freeze(self, vae: dict[str, Tensor], solver: dict[str, Tensor], seen: list[int], tasks: int) -> None:
        self.old_vae = deepcopy(self.vae).eval().requires_grad_(False)
        self.old_vae.load_state_dict(vae)
        self.old_solver = deepcopy(self.model).eval().requires_grad_(False)
        self.old_solver.load_state_dict(solver)
        self.old_seen, self.tasks_learned = seen, tasks

    def snapshot(self) -> dict[str, Tensor]:
        """The generator's decoder."""
        return self.vae.decoder.state_dict()

    def extra_state(self) -> dict[str, Any]:
        """The generator, its optimizer and the frozen scholar."""
        state: dict[str, Any] = {"vae": self.vae.state_dict(), "optimizer": self.vae_optimizer.state_dict()}
        if self.old_vae is not None and self.old_solver is not None:
            state |= {
                "old_vae": self.old_vae.state_dict(),
                "old_solver": self.old_solver.state_dict(),
                "old_seen": self.old_seen,
                "tasks": self.tasks_learned,
            }
        return state

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back the generator, its optimizer and the frozen scholar."""
        self.vae.load_state_dict(state["vae"])
        self.vae_optimizer.load_state_dict(state["optimizer"])
        if "old_vae" in state:
            self._freeze(state["old_vae"], state["old_solver"], state["old_seen"], state["tasks"])


def build(
    *,
    setting: Setting,
    vae: Literal["mlp", "conv"] = "mlp",
    vae_latent: int = 100,
    vae_width: int = 400,
    vae_lr: float = 0.001,
) -> Strategy:
    """Generative replay on the engine's strategy."""
    model = VAE(input_shape=setting.input_shape, kind=vae, latent=vae_latent, width=vae_width).to(setting.device)
    optimizer = Adam(model.parameters(), lr=vae_lr)
    return GenerativeReplay(generator_model=model, generator_optimizer=optimizer, **setting.arguments())
