"""Draws of latents: codes by hand, prior and posterior from their generator, whatever else is random."""

import pytest
import torch

from recollect.generation.latents import codes, noise, posterior, prior


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_codes_are_one_below_the_probability():
    uniform = torch.tensor([[0.0, 0.3, 0.999], [0.69, 0.7, 0.71]])
    assert codes(uniform, torch.tensor([0.0, 0.5, 1.0])).tolist() == [[-1, 1, 1], [-1, -1, 1]]
    assert codes(uniform, torch.tensor([[0.0], [0.7]])).tolist() == [[-1, -1, -1], [1, -1, -1]]


def test_the_prior():
    ones = torch.tensor([0.1, 0.8])
    z, b = prior(generator(), 20000, 3, ones)
    assert z.shape == (20000, 3)
    assert b.shape == (20000, 2)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(3), atol=0.03, rtol=0)
    assert set(b.unique().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close((b > 0).float().mean(0), ones, atol=0.02, rtol=0)


def test_without_binary_latents():
    z, b = prior(generator(), 4, 2, torch.zeros(0))
    assert (z.shape, b.shape) == ((4, 2), (4, 0))


def test_the_posterior_by_hand():
    mean, log_variance = torch.randn(2, 5, 3)
    logits = torch.tensor([0.0, 2.0]).repeat(5, 1)
    z, b = posterior((mean, log_variance, logits), generator(4))
    drawn = noise(generator(4), 5, latent=3, binary=2)
    torch.testing.assert_close(z, mean + drawn.z * torch.exp(log_variance).sqrt())
    assert torch.equal(b, 2 * (drawn.b < torch.tensor([0.5, 0.880797])).float() - 1)


@pytest.mark.parametrize(
    "draw", [lambda g: prior(g, 6, 2, torch.tensor([0.5])), lambda g: noise(g, 6, latent=2, binary=1)]
)
def test_only_the_generator_counts(draw):
    torch.manual_seed(0)
    first = draw(generator(1))
    torch.manual_seed(1)
    again, other = draw(generator(1)), draw(generator(2))
    assert torch.equal(first.z, again.z)
    assert torch.equal(first.b, again.b)
    assert not torch.equal(first.z, other.z)
