"""The classifier that Adapt & Align adds to a continual generator: F regressed onto Z, a head on Z."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from recollect.engine.mixed import MixedBatches, Rows, cycled_order
from recollect.engine.phases import Phase
from recollect.generation.cutmix import Mixed, cut_images, cut_vectors
from recollect.generation.shares import replay_counts
from recollect.models.aligned_classifier import AlignedClassifier

if TYPE_CHECKING:
    from recollect.generation.continual import ContinualGenerator as Base
else:  # a strategy of its own would be asked for its arguments by Avalanche before the generator is
    Base = object

MIX_PROBABILITY = 0.5
PHASES = ("features", "head")


class LatentClassifier(Base):
    """Mixed into a class-conditional generator: after its phases come ``features`` and ``head``.

    Attributes:
        classifier: F and h.
    """

    classifies = True

    def attach(
        self, classifier: AlignedClassifier, *, feature_epochs: int, head_epochs: int, lr: float, lr_decay: float,
        weight_decay: float,
    ) -> LatentClassifier:  # fmt: skip
        """Add the classifier to a generator that was built."""
        self.classifier = classifier
        self.feature_epochs, self.head_epochs = feature_epochs, head_epochs
        self.adam: dict[str, Any] = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay}
        return self

    # What the generator offers -------------------------------------------------------------------

    def embed_current(self, index: Tensor, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """Current images x at positions ``index`` with labels y in the aligned space, (n, |Z|)."""
        raise NotImplementedError

    def generate_embedded(self, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Points (n, |Z|) of the aligned space drawn for classes ``ids`` (n,), and the images made from them."""
        raise NotImplementedError

    # Phases --------------------------------------------------------------------------------------

    def phases(self) -> Sequence[Phase]:
        """Those of the generator, then F, then h."""
        parts = ((self.feature_epochs, self.classifier.features), (self.head_epochs, self.classifier.head))
        own = [
            Phase(name, epochs, net.parameters, batches=self.embedded_batches, **self.adam)
            for name, (epochs, net) in zip(PHASES, parts, strict=True)
        ]
        return [*super().phases(), *own]

    def start_phase(self) -> None:
        """After the first local phase there is a global model, from which F and h learn."""
        super().start_phase()
        if self.phase.name == "features":
            self.adopt_first_generator()

    def enter_phase(self) -> None:
        """F and h learn from frozen networks."""
        super().enter_phase()
        self.classifier.train()

    # Data ----------------------------------------------------------------------------------------

    def embedded_batches(self) -> MixedBatches:
        """Rows (image, is generated, label, Z): n_prev generations of all classes seen, and current images."""
        self.labelled, size = self.images(), self.train_mb_size
        self.classes = torch.tensor(self.seen_ids(), device=self.device)
        self.class_counts = replay_counts(size, self.tasks_learned + 1, 1.0, among=len(self.classes))
        rows = sum(self.class_counts) + size
        return MixedBatches(
            iterations=-(-len(self.labelled) // size), rows=rows, batch_size=rows, make_block=self.make_embedded,
            start_epoch=self.start_pass, generator=self.generator,
        )  # fmt: skip

    def start_pass(self, generator: torch.Generator) -> None:
        """The order of the current images; a pass starts again when it is used up."""
        wanted = self.dataloader.iterations * self.train_mb_size
        self.order = cycled_order(len(self.labelled), wanted, generator).to(self.device)

    @torch.no_grad()
    def make_embedded(self, first: int, count: int, generator: torch.Generator) -> list[Rows]:
        """Rows of ``count`` iterations."""
        return [self._rows(first + i, generator) for i in range(count)]

    def _rows(self, iteration: int, generator: torch.Generator) -> Rows:
        index = self.order[iteration * self.train_mb_size : (iteration + 1) * self.train_mb_size]
        x, y = self.labelled.gather(index), self.labelled.labels[index]
        ids = torch.repeat_interleave(self.classes, torch.tensor(self.class_counts, device=self.device))
        z, images = self.generate_embedded(ids, generator)
        current = self.embed_current(index, x, y, generator)
        generated = torch.arange(len(ids) + len(y), device=self.device) < len(ids)
        return torch.cat([images, x]), generated, torch.cat([ids, y]), torch.cat([z, current])

    # Losses --------------------------------------------------------------------------------------

    def forward(self) -> Tensor:
        """Embeddings or logits of the mini-batch in our phases."""
        if self.phase.name not in PHASES:
            return super().forward()
        features = self.phase.name == "features"
        rows = self.mb_x if features else self.mbatch[3]
        self.mixed = mix(rows, cut_images if features else cut_vectors)
        return (self.classifier.features if features else self.classifier.head)(self.mixed.x)

    def training_loss(self) -> Tensor:
        """Squared error in Z for F, cross-entropy over the classes seen for h."""
        if self.phase.name == "features":
            target = self.mbatch[3]
            return self._shared(lambda own: mse_loss(self.mb_output, target[own]))
        if self.phase.name == "head":
            labels = self.mbatch[2]
            logits = self.outputs.apply(self.mb_output, self.outputs.first_task()[labels])
            return self._shared(lambda own: cross_entropy(logits, labels[own]))
        return super().training_loss()

    def _shared(self, loss: Callable[[Any], Tensor]) -> Tensor:
        """lam times the loss with a row's own target, and the rest with its partner's."""
        lam, own = self.mixed.lam, loss(slice(None))
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


def mix(rows: Tensor, cut: Callable[[Tensor], Mixed]) -> Mixed:
    """The rows cut and mixed, or with the other half of the probability as they are."""
    if float(torch.rand(())) < MIX_PROBABILITY:
        return cut(rows)
    return Mixed(rows, torch.arange(len(rows), device=rows.device), 1.0)
