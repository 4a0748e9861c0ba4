"""The VAE: shapes, closed-form loss on a tiny case, and the spread of its latent draws."""

import math

import pytest
import torch
from torch import nn

from recollect.models.vae import VAE

SHAPES = [(1, 8, 8), (3, 32, 32), (1, 7, 9), (1, 28, 28), (2, 5, 6), (1, 1, 1), (1, 13, 2)]


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("shape", SHAPES)
def test_output_has_the_shape_of_the_input(kind, shape):
    model = VAE(input_shape=shape, kind=kind, latent=3, width=4)
    x = torch.rand(5, *shape)
    assert model.encoder(x).shape == (5, 6)
    assert model.decoder(torch.zeros(5, 3)).shape == x.shape
    samples = model.sample(7, torch.device("cpu"))
    assert samples.shape == (7, *shape)
    assert 0 <= float(samples.min()) <= float(samples.max()) <= 1
    model.loss(x).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


class Constant(nn.Module):
    """Answers the same row for every input."""

    def __init__(self, *row, shape=()):
        super().__init__()
        self.row, self.shape = torch.tensor(row), shape

    def forward(self, x):
        return self.row.expand(len(x), -1).reshape(len(x), *(self.shape or (-1,)))


def test_the_loss_is_bce_plus_kl_in_closed_form():
    """One pixel pattern, one latent: every number can be worked out by hand."""
    model = VAE(input_shape=(1, 1, 2), latent=1, width=2)
    mean, log_variance, logits = 0.7, -0.4, (0.3, -1.2)
    model.encoder = Constant(mean, log_variance)
    model.decoder = Constant(*logits, shape=(1, 1, 2))
    x = torch.tensor([[1.0, 0.25], [0.5, 0.0], [0.0, 1.0]]).view(3, 1, 1, 2)
    p = [1 / (1 + math.exp(-logit)) for logit in logits]
    bce = [
        -sum(v * math.log(q) + (1 - v) * math.log(1 - q) for v, q in zip(row.flatten().tolist(), p, strict=True))
        for row in x
    ]
    variance = math.exp(log_variance)
    kl = 0.5 * (variance + mean**2 - 1 - log_variance)
    assert float(model.loss(x)) == pytest.approx(sum(bce) / 3 + kl, rel=1e-6)


def test_the_kl_equals_torchs_own_summed_over_latents():
    model = VAE(input_shape=(1, 2, 2), latent=3, width=2)
    model.encoder = Constant(0.1, -2.0, 1.5, -3.0, 0.5, 2.0)
    model.decoder = Constant(0.0, 0.0, 0.0, 0.0, shape=(1, 2, 2))
    q = torch.distributions.Normal(torch.tensor([0.1, -2.0, 1.5]), torch.exp(torch.tensor([-1.5, 0.25, 1.0])))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
    found = model.loss(torch.rand(4, 1, 2, 2))
    assert float(found) == pytest.approx(float(kl) + 4 * math.log(2), rel=1e-5)


class Keeping(nn.Module):
    """Remembers the latent draws it was given."""

    def forward(self, z):
        self.z = z.detach()
        return z.view(-1, 1, 1, 2)


def test_latents_are_drawn_with_the_standard_deviation_exp_half_the_log_variance():
    model = VAE(input_shape=(1, 1, 2), latent=2, width=2)
    model.encoder, model.decoder = Constant(3.0, -1.0, 1.5, -2.0), Keeping()
    torch.manual_seed(0)
    model.loss(torch.rand(20000, 1, 1, 2))
    z = model.decoder.z
    expected = torch.tensor([math.exp(0.75), math.exp(-1.0)])
    torch.testing.assert_close(z.std(0), expected, rtol=0.03, atol=0)
    torch.testing.assert_close(z.mean(0), torch.tensor([3.0, -1.0]), rtol=0, atol=0.06)


def test_samples_come_from_the_standard_normal_prior():
    model = VAE(input_shape=(1, 1, 2), latent=2, width=2)
    model.decoder = Keeping()
    torch.manual_seed(0)
    images = model.sample(20000, torch.device("cpu"))
    torch.testing.assert_close(model.decoder.z.std(0), torch.ones(2), rtol=0.03, atol=0)
    torch.testing.assert_close(model.decoder.z.mean(0), torch.zeros(2), rtol=0, atol=0.03)
    assert torch.equal(images, torch.sigmoid(model.decoder.z).view(-1, 1, 1, 2))


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_it_learns_to_reconstruct(kind):
    torch.manual_seed(0)
    patterns = (torch.rand(2, 1, 6, 6) > 0.5).float()
    x = patterns[torch.arange(32) % 2]
    model = VAE(input_shape=(1, 6, 6), kind=kind, latent=2, width=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model.loss(x)
        loss.backward()
        optimizer.step()
    assert float(loss) < 5 < 36 * math.log(2), "far below a coin per pixel"
    nearest = torch.cdist(model.sample(50, torch.device("cpu")).flatten(1), patterns.flatten(1)).min(1).values
    assert float(nearest.median()) < 1.5
