"""The classifier extension of Adapt & Align (Deja et al., Neurocomputing 2025, Table 5).

After the generator has learned task k (class-conditional: the translator is told the class), two networks learn

    F: x -> Z,  min || F(x) - t(z, y) ||^2        the aligned latent space as regression target
    h: Z -> y,  min CE(h(t(z, y)), y)             and a head on it

both on the same mixture: the current images with their places in Z, and generations of all classes seen with the
points of Z they were made from. The answer to x is h(F(x)). With probability 1/2 a batch is cut and mixed (images
for F, ranges of Z for h). ``recollect/generation/latent_classifier.py`` has what holds for both generators.

A current image's place is the translated latent of its encoding (VAE) or of the noise from which the global
generator makes the nearest image (GAN; the authors' code regresses onto the noise itself, which is another space).
The fork of the authors that this follows has no binary latents.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from methods.adapt_align_gan import AdaptAlignGAN
from methods.adapt_align_gan import Schedule as GANSchedule
from methods.adapt_align_vae import AdaptAlignVAE
from methods.adapt_align_vae import Schedule as VAESchedule
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.generation.latent_classifier import LatentClassifier
from recollect.generation.latents import codes, noise
from recollect.generation.snapshots import frozen
from recollect.models.aligned_classifier import AlignedClassifier, feature_network

INVERSION_STEPS, INVERSION_LR = 500, 0.01


class VAEClassifier(LatentClassifier, AdaptAlignVAE):
    """On the VAE."""

    def embed_current(self, index: Tensor, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """t(z, y) of a posterior sample."""
        return self.world.eval().translator(*self.encode(x, generator), y)

    def generate_embedded(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """t(z, id) of prior draws and the decoder's images."""
        world = self.world.eval()
        normal, uniform = noise(generator, len(ids), latent=self.latent, binary=self.binary)
        z = world.translator(normal.to(self.device), codes(uniform.to(self.device), self.ones[ids]), ids)
        return z, world.pixels(world.network(z))


class GANClassifier(LatentClassifier, AdaptAlignGAN):
    """On the GAN.

    Attributes:
        places: (N, latent), noise of every current image for the global generator; dropped after the task.
    """

    places: Tensor | None = None

    def start_phase(self) -> None:
        """Find the noise of every current image once."""
        super().start_phase()
        if self.phase.name == "features":
            with self.timed("noise inversion"):
                self.places = self.invert(frozen(self.world), INVERSION_STEPS, INVERSION_LR)

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self.places = None

    def embed_current(self, index: Tensor, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """t(z, y) of the noise that was found."""
        assert self.places is not None
        return self.world.eval().translate(self.places[index], y)

    def generate_embedded(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """t(z, id) of prior draws and the generator's images."""
        world = self.world.eval()
        z = world.translate(torch.randn(len(ids), self.latent, generator=generator).to(self.device), ids)
        return z, self.unsigned(world.network(z))

    def extra_state(self) -> dict[str, Any]:
        """The places too, while they are used."""
        state = super().extra_state()
        return state if self.places is None else {**state, "places": self.places}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.places = state.get("places")


def build(
    *,
    setting: Setting,
    generator: Literal["vae", "gan"] = "vae",
    features: Literal["mlp400", "resnet18", "resnet34"] = "mlp400",
    feature_epochs: int = 30,
    head_epochs: int = 4,
    classifier_lr: float = 0.001,
    classifier_decay: float = 0.99,
    classifier_weight_decay: float = 1e-5,
    network: Literal["fc", "conv"] = "fc",
    latent: int = 8,
    gen_d: int = 32,
    code_bits: int = 4,
    code_prime: int = 9,
    clip_value: float = 4.0,
    reconstruction: Literal["bce", "mse"] = "mse",
    reconstruction_weight: float = 1.0,
    gan_features: int = 32,
    critic_steps: int = 5,
    global_epochs: int = 140,
    warmup_epochs: int = 5,
    global_lr: float = 0.001,
    local_decay: float = 0.98,
    global_decay: float = 0.98,
    replay_share: float = 0.5,
) -> Strategy:
    """The classifier on a class-conditional generator; all other arguments are the generator's.

    Args:
        generator: ``vae`` (network to reconstruction_weight are for it) or ``gan`` (gan_features is its f, its
            learning rates decay by global_decay).
        features: network of F; the MLP for images like MNIST, ResNets for CIFAR.
        feature_epochs, head_epochs: of F and h in every task.
        classifier_lr, classifier_decay, classifier_weight_decay: of both.
    """
    t = setting.train
    schedule: dict[str, Any] = {
        "local_epochs": t.epochs, "global_epochs": global_epochs, "warmup_epochs": warmup_epochs,
        "local_lr": t.lr, "global_lr": global_lr, "replay_share": replay_share,
    }  # fmt: skip
    strategy: Any
    if generator == "vae":
        vae = VAESchedule(
            **schedule, local_decay=local_decay, global_decay=global_decay, weight_decay=t.weight_decay,
            clip_value=clip_value, reconstruction=reconstruction, reconstruction_weight=reconstruction_weight,
        )  # fmt: skip
        strategy = VAEClassifier.make(
            setting, vae, network=network, condition="class", latent=latent, binary=0, gen_d=gen_d,
            code_bits=code_bits, code_prime=code_prime,
        )  # fmt: skip
    else:
        gan = GANSchedule(**schedule, lr_decay=global_decay, critic_steps=critic_steps)
        strategy = GANClassifier.make(setting, gan, condition="class", latent=latent, features=gan_features)
    dim = latent * gen_d if generator == "vae" else latent
    network_f = feature_network(features, setting.input_shape, dim)
    return strategy.attach(
        AlignedClassifier(network_f, dim, setting.n_classes).to(setting.device), feature_epochs=feature_epochs,
        head_epochs=head_epochs, lr=classifier_lr, lr_decay=classifier_decay, weight_decay=classifier_weight_decay,
    )  # fmt: skip
