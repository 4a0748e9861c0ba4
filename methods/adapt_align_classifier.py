"""The classifier extension of Adapt & Align (Deja et al., Neurocomputing 2025, Table 5).

After the generator has learned task k (class-conditional: the translator is told the class), two networks learn

    F: x -> Z,  min || F(x) - t(z, y) ||^2        the aligned latent space as regression target
    h: Z -> y,  min CE(h(t(z, y)), y)             and a head on it

both on the same mixture: the current images with the translated latents of their encodings, and generations of
all classes seen with the translated latents they were made from. The answer to x is h(F(x)). With probability 1/2
a batch is cut and mixed (images for F, ranges of Z for h).

Here the generator is ``adapt_align_vae``; the fork of the authors that this follows has no binary latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from methods.adapt_align_vae import AdaptAlignVAE, Schedule
from recollect.engine.mixed import MixedBatches, Rows
from recollect.engine.phases import Phase
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy
from recollect.generation.cutmix import Mixed, cut_images, cut_vectors
from recollect.generation.latents import codes, noise
from recollect.generation.shares import replay_counts
from recollect.models.aligned_classifier import AlignedClassifier, feature_network

MIX_PROBABILITY = 0.5


class AdaptAlignClassifier(AdaptAlignVAE):
    """Generator phases of the VAE, then features, then head.

    Attributes:
        classifier: F and h.
    """

    classifies = True

    def attach(
        self, classifier: AlignedClassifier, *, feature_epochs: int, head_epochs: int, lr: float, lr_decay: float,
        weight_decay: float,
    ) -> AdaptAlignClassifier:  # fmt: skip
        """Add the classifier to a generator that was built."""
        self.classifier = classifier
        self.feature_epochs, self.head_epochs = feature_epochs, head_epochs
        self.adam: dict[str, Any] = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay}
        return self

    def phases(self) -> Sequence[Phase]:
        """Those of the generator, then F, then h."""
        parts = (
            ("features", self.feature_epochs, self.classifier.features),
            ("head", self.head_epochs, self.classifier.head),
        )
        own = [
            Phase(name, epochs, net.parameters, batches=self.embedded_batches, **self.adam)
            for name, epochs, net in parts
        ]
        return [*super().phases(), *own]

    def start_phase(self) -> None:
        """After the first local phase there is a global model, from which F and h learn."""
        super().start_phase()
        if self.phase.name == "features":
            self.adopt_first_decoder()

    def enter_phase(self) -> None:
        """F and h learn from frozen networks."""
        super().enter_phase()
        self.classifier.train()

    # Data ----------------------------------------------------------------------------------------

    def embedded_batches(self) -> MixedBatches:
        """Rows (image, is generated, label, Z): n_prev generations of all classes seen, and current images."""
        self.current = self.images()
        self.classes = torch.tensor(self.seen_ids(), device=self.device)
        size = self.train_mb_size
        self.counts = replay_counts(size, self.tasks_learned + 1, 1.0, among=len(self.classes))
        return MixedBatches(
            iterations=-(-len(self.current) // size), rows=sum(self.counts) + size,
            batch_size=sum(self.counts) + size, make_block=self.make_embedded, start_epoch=self.start_pass,
            generator=self.generator,
        )  # fmt: skip

    def start_pass(self, generator: torch.Generator) -> None:
        """The order of the current images; a pass starts again when it is used up."""
        n, wanted = len(self.current), self.dataloader.iterations * self.train_mb_size
        passes = [torch.randperm(n, generator=generator) for _ in range(-(-wanted // n))]
        self.order = torch.cat(passes).to(self.device)

    @torch.no_grad()
    def make_embedded(self, first: int, count: int, generator: torch.Generator) -> list[Rows]:
        """Rows of ``count`` iterations."""
        return [self._rows(first + i, generator) for i in range(count)]

    def _rows(self, iteration: int, generator: torch.Generator) -> Rows:
        assert self.world is not None
        world = self.world.eval()
        index = self.order[iteration * self.train_mb_size : (iteration + 1) * self.train_mb_size]
        x, y = self.current.gather(index), self.current.labels[index]
        current = world.translator(*self.encode(x, generator), y)
        ids = torch.repeat_interleave(self.classes, torch.tensor(self.counts, device=self.device))
        normal, uniform = noise(generator, len(ids), latent=self.latent, binary=self.binary)
        b = codes(uniform.to(self.device), self.ones[ids])
        old = world.translator(normal.to(self.device), b, ids)
        images = world.pixels(world.network(old))
        generated = torch.arange(len(ids) + len(y), device=self.device) < len(ids)
        return torch.cat([images, x]), generated, torch.cat([ids, y]), torch.cat([old, current])

    # Losses --------------------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Embeddings or logits of the mini-batch in our phases."""
        if self.phase.name not in ("features", "head"):
            return super().forward()
        features = self.phase.name == "features"
        rows = self.mb_x if features else self.mbatch[3]
        self.mixed = self.mix(rows, cut_images if features else cut_vectors)
        return (self.classifier.features if features else self.classifier.head)(self.mixed.x)

    @staticmethod
    def mix(rows: Tensor, cut: Any) -> Mixed:
        """The rows cut and mixed, or with the other half of the probability as they are."""
        if float(torch.rand(())) < MIX_PROBABILITY:
            return cut(rows)
        return Mixed(rows, torch.arange(len(rows), device=rows.device), 1.0)

    def training_loss(self) -> Tensor:
        """Squared error in Z for F, cross-entropy over the classes seen for h."""
        if self.phase.name == "features":
            target = self.mbatch[3]
            return self._shared(lambda own: mse_loss(self.mb_output, target[own]))
        if self.phase.name == "head":
            logits = self.outputs.apply(self.mb_output, self.outputs.first_task()[self.mbatch[2]])
            return self._shared(lambda own: cross_entropy(logits, self.mbatch[2][own]))
        return super().training_loss()

    def _shared(self, loss: Any) -> Tensor:
        """lam times the loss with a row's own target, and the rest with its partner's."""
        lam = self.mixed.lam
        own = loss(slice(None))
        return own if lam == 1 else lam * own + (1 - lam) * loss(self.mixed.partner)

    def scores(self, x: Tensor) -> Tensor:
        """h(F(x))."""
        training = self.classifier.training
        answer = self.classifier.eval()(x)
        self.classifier.train(training)
        return answer

    # State ---------------------------------------------------------------------------------------

    def extra_state(self) -> dict[str, Any]:
        """The generator's, and F and h."""
        return {**super().extra_state(), "classifier": self.classifier.state_dict()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`extra_state` returned."""
        super().load_extra_state(state)
        self.classifier.load_state_dict(state["classifier"])


def build(
    *,
    setting: Setting,
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
    global_epochs: int = 140,
    warmup_epochs: int = 5,
    global_lr: float = 0.001,
    local_decay: float = 0.98,
    global_decay: float = 0.98,
    clip_value: float = 4.0,
    reconstruction: Literal["bce", "mse"] = "mse",
    reconstruction_weight: float = 1.0,
    replay_share: float = 0.5,
) -> Strategy:
    """The classifier on a class-conditional VAE; the generator's arguments as in ``adapt_align_vae``.

    Args:
        features: network of F; the MLP for images like MNIST, ResNets for CIFAR.
        feature_epochs, head_epochs: of F and h in every task.
        classifier_lr, classifier_decay, classifier_weight_decay: of both.
    """
    t = setting.train
    schedule = Schedule(
        local_epochs=t.epochs, global_epochs=global_epochs, warmup_epochs=warmup_epochs, local_lr=t.lr,
        global_lr=global_lr, local_decay=local_decay, global_decay=global_decay, weight_decay=t.weight_decay,
        clip_value=clip_value, reconstruction=reconstruction, reconstruction_weight=reconstruction_weight,
        replay_share=replay_share,
    )  # fmt: skip
    strategy = AdaptAlignClassifier.make(
        setting, schedule, network=network, condition="class", latent=latent, binary=0, gen_d=gen_d,
        code_bits=code_bits, code_prime=code_prime,
    )  # fmt: skip
    dim = latent * gen_d
    network_f = feature_network(features, setting.input_shape, dim)
    classifier = AlignedClassifier(network_f, dim, setting.n_classes).to(setting.device)
    return strategy.attach(
        classifier, feature_epochs=feature_epochs, head_epochs=head_epochs, lr=classifier_lr,
        lr_decay=classifier_decay, weight_decay=classifier_weight_decay,
    )  # fmt: skip
