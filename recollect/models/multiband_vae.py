"""The autoencoder of Multiband VAE: encoder and decoder as one model, its loss and its binary latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from recollect.models.multiband import Decoder, Encoder


class MultibandVAE(nn.Module):
    """Encoder, and the decoder through whose translator it is trained."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder


def reconstruction_loss(decoder: Decoder, raw: Tensor, x: Tensor, kind: str) -> Tensor:
    """Sum over pixels and batch of binary cross-entropy (``bce``) or squared error (``mse``)."""
    if kind == "bce":
        return binary_cross_entropy_with_logits(raw, x, reduction="sum")
    return mse_loss(decoder.pixels(raw), x, reduction="sum")


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z | x) || N(0, I)) summed over the batch; the binary latent has no such term."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()


def temperature(epoch: int, epochs: int) -> float:
    """Of the binary latent: falls from 1 to 0.01 over the first fifth of the epochs."""
    return max(1 - 5 * epoch / epochs, 0.01)


def relaxed_binary(logits: Tensor, heat: float) -> Tensor:
    """A draw of the binary latent in [-1, 1]: Gumbel softmax over (l, -l) at temperature ``heat``.

    Below 0.1 it is a straight-through draw in {-1, +1} at temperature 1.
    """
    hard = heat < 0.1
    uniform = torch.rand_like(logits).clamp(1e-7, 1 - 1e-7)
    soft = torch.sigmoid((2 * logits + torch.logit(uniform)) / (1.0 if hard else heat))
    if hard:
        soft = (soft > 0.5).float() + (soft - soft.detach())
    return 2 * soft - 1


def posterior_draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    """mean + sigma * epsilon, with gradient."""
    return mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
