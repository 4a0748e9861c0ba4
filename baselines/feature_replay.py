"""Generative replay in the space of frozen features (internal replay: van de Ven, Siegelmann, Tolias 2020).

Deep generative replay (``generative_replay.py``) whose variational autoencoder models the pooled features of
frozen transformers instead of the samples: side by side, zero where a modality is missing. Frozen features do
not drift, so replayed ones train all that is learnt on top of them: projections, fusion and classifier. Adapters
would stand below that point, replay could not reach them; settings with adapters are refused. Deliberate
deviations from the source: a plain instead of a gated autoencoder, and Gaussian instead of Bernoulli outputs, as
features are no intensities.

With ``buffer_size`` features of past samples are kept and replayed with their labels beside the generated ones,
to the classifier and to the generator alike, a combination that no paper has.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.generative_replay import GenerativeReplay
from recollect.engine.images import ready_images
from recollect.engine.optimizers import Adam
from recollect.engine.reservoir import Reservoir
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.errors import RecollectError
from recollect.models.vae import VAE
from recollect.multimodal.building import make_model
from recollect.multimodal.diagnosis import in_blocks
from recollect.multimodal.model import MMModel


class FeatureVAE(VAE):
    """Gaussian outputs of one deviation; features are standardised by their layer norm first."""

    def __init__(self, size: int, latent: int, width: int, deviation: float) -> None:
        super().__init__(input_shape=(size,), latent=latent, width=width)
        self.deviation = deviation

    def losses(self, x: Tensor) -> Tensor:
        """Negative evidence lower bound of every vector up to a constant, (B,); x (B, size)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        reconstruction = (self.decoder(z) - x).square().sum(1) / (2 * self.deviation**2)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        return reconstruction + divergence

    @torch.no_grad()
    def sample(self, n: int, device: torch.device) -> Tensor:
        """``n`` feature vectors (n, size): means of the decoder."""
        return self.decoder(torch.randn(n, self.latent, device=device))


class OnFeatures(nn.Module):
    """What is learnt on frozen features, as a network from features to outputs.

    Rows (B, ..., P) of samples are told from features (B, size) by their dimensions.
    """

    def __init__(self, model: MMModel) -> None:
        super().__init__()
        self.model = model
        self.widths = {name: tower.dim for name, tower in model.encoder.towers.items()}

    @property
    def size(self) -> int:
        """Numbers in a feature vector: those of all modalities, and one per modality that says it is there."""
        return sum(self.widths.values()) + len(self.widths)

    @torch.no_grad()
    def features(self, rows: Tensor) -> Tensor:
        """(B, size) of rows: standardised pooled tokens, then which modalities are there, as -1 and 1."""
        samples = self.model.samples(rows)
        pooled, _ = self.model.encoder.pooled(samples)
        parts = [
            nn.functional.layer_norm(x, x.shape[1:]) * samples.present[name][:, None] for name, x in pooled.items()
        ]
        flags = [2 * samples.present[name].float()[:, None] - 1 for name in self.widths]
        return torch.cat([*parts, *flags], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, n_outputs) of features, or of rows."""
        if x.ndim > 2:
            x = self.features(x)
        *parts, flags = x.split([*self.widths.values(), len(self.widths)], dim=1)
        pooled = dict(zip(self.widths, parts, strict=True))
        present = dict(zip(self.widths, (flags > 0).unbind(dim=1), strict=True))
        return self.model.head(self.model.encoder.project(pooled, present, []).joint)


class FeatureReplay(GenerativeReplay):
    """Deep generative replay after the samples have become features.

    Attributes:
        buffer: features of samples of earlier tasks; every sample is offered once, when its task is over.
    """

    model: OnFeatures

    def __init__(self, *, buffer: Reservoir, replay_batch_size: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.buffer, self.replay_batch_size = buffer, replay_batch_size

    def replay(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Generated features with the old solver's labels, then kept ones with their own; and their tasks."""
        x, y, task = super().replay(batch)
        if not len(self.buffer):
            return x, y, task
        old_x, old_y, old_task, _ = self.buffer.draw(self.replay_batch_size)
        return torch.cat([x, old_x]), torch.cat([y, old_y]), torch.cat([task, old_task])

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        images = ready_images(self.experience.dataset, self.device)
        for index, rows in in_blocks(self.model.model, images):
            self.buffer.add(self.model.features(rows), images.labels[index], images.task_labels[index])

    def extra_state(self) -> dict[str, Any]:
        """Generator, frozen scholar and buffer."""
        return {**super().extra_state(), "buffer": self.buffer.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back all three."""
        super().load_extra_state(state)
        self.buffer.load_state_dict(state["buffer"])

    def forward(self) -> Tensor:
        """Outputs; while training, the mini-batch becomes features first."""
        if self.is_training:
            self.mbatch[0] = self.model.features(self.mb_x)
        return super().forward()

    def snapshot(self) -> dict[str, Tensor]:
        """None: the generator makes no samples that could be judged."""
        return {}


def build(
    *,
    setting: Setting,
    vae_latent: int = 32,
    vae_width: int = 200,
    vae_lr: float = 0.001,
    vae_deviation: float = 0.3,
    buffer_size: int = 0,
    replay_batch_size: int = 32,
) -> Strategy:
    """Generative replay of frozen features.

    Args:
        vae_latent, vae_width, vae_lr: of the generator.
        vae_deviation: of its Gaussian outputs; smaller ones weigh reconstruction more.
        buffer_size, replay_batch_size: feature vectors kept of all tasks, and drawn in every step; 0 keeps none.
    """
    if setting.train.model != "mm_encoder" or setting.train.mm_adapter != "none":
        raise RecollectError("feature_replay replays frozen features: set model: mm_encoder and mm_adapter: none")
    model: Any = OnFeatures(make_model(setting, setting.n_classes)).to(setting.device)
    vae = FeatureVAE(model.size, vae_latent, vae_width, vae_deviation).to(setting.device)
    buffer = Reservoir(
        capacity=buffer_size, input_shape=(model.size,), seed=setting.seed, device=setting.device,
        dtype=torch.float32,
    )  # fmt: skip
    return FeatureReplay(
        generator_model=vae, generator_optimizer=Adam(vae.parameters(), lr=vae_lr), buffer=buffer,
        replay_batch_size=replay_batch_size, **setting.arguments(model),
    )  # fmt: skip
