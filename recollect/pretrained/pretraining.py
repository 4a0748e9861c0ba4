"""Training an embedded backbone as a classifier, killed and resumed without a trace."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recollect.engine.augment import augment
from recollect.engine.optimizers import Adam
from recollect.engine.state import load_state, save_state
from recollect.errors import RecollectError
from recollect.pretrained.registry import BackboneSpec, Pretraining
from recollect.pretrained.vit import random_vit

LOG = logging.getLogger("recollect.pretrained")
EVAL_ROWS = 500


class AdamW(Adam):
    """Adam with decoupled weight decay, fused."""

    def __init__(self, params: Any, lr: float, weight_decay: float) -> None:
        super().__init__(params, lr, weight_decay=weight_decay, decoupled_weight_decay=True)


def learning_rate(recipe: Pretraining, progress: float) -> float:
    """Linear warm-up, then a cosine to 0; ``progress`` is the time in epochs."""
    if progress < recipe.warmup_epochs:
        return recipe.lr * progress / recipe.warmup_epochs
    rest = max(recipe.epochs - recipe.warmup_epochs, 1)
    return recipe.lr * (1 + math.cos(math.pi * (progress - recipe.warmup_epochs) / rest)) / 2


def rows_of(labels: np.ndarray, classes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(rows whose label is in ``classes``, their places in it)."""
    places = np.full(int(labels.max()) + 1, -1, dtype=np.int64)
    places[list(classes)] = np.arange(len(classes))
    rows = np.flatnonzero(places[labels] >= 0)
    return rows, places[labels[rows]]


class Pretrainer:
    """Trains one backbone.

    Args:
        spec: with ``pretraining``.
        x, y: all training images uint8 (N, C, H, W) of its data set and their labels.
        state_file: where unfinished training is kept.
        stamp: of data, recipe and code; a state of another one is not used.
        save_every_s: seconds between saves, which happen between epochs.
        say: told once per epoch how far it is.
    """

    def __init__(
        self, spec: BackboneSpec, x: np.ndarray, y: np.ndarray, state_file: Path, stamp: str,
        save_every_s: float = 120.0, say: Callable[[str], None] = LOG.info,
    ) -> None:  # fmt: skip
        if spec.pretraining is None:
            raise RecollectError(f"backbone {spec.id} is not trained here")
        self.spec, self.recipe = spec, spec.pretraining
        rows, places = rows_of(y, self.recipe.classes)
        self.x, self.y = torch.from_numpy(np.array(x[rows])), torch.from_numpy(places)
        self.state_file, self.stamp, self.save_every_s, self.say = state_file, stamp, save_every_s, say
        self.vit = random_vit(spec.size, self.recipe.seed, len(self.recipe.classes))
        self.optimizer = AdamW(self._groups(), self.recipe.lr, self.recipe.weight_decay)
        self.epoch, self.seconds = 0, 0.0

    def _groups(self) -> list[dict[str, Any]]:
        """Norms, biases, class token and positions without weight decay, as in timm's recipes."""
        decayed = [p for p in self.vit.parameters() if p.ndim > 1 and p.shape[0] > 1]
        plain = [p for p in self.vit.parameters() if not (p.ndim > 1 and p.shape[0] > 1)]
        return [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]

    def train(self) -> dict[str, Tensor]:
        """All epochs that are left; the weights without the head."""
        self._resume()
        saved = started = time.monotonic()
        first = self.epoch
        while self.epoch < self.recipe.epochs:
            before = time.monotonic()
            loss = self._one_epoch()
            self.epoch += 1
            self.seconds += time.monotonic() - before
            left = (time.monotonic() - started) / (self.epoch - first) * (self.recipe.epochs - self.epoch)
            self.say(f"{self.spec.id}: epoch {self.epoch}/{self.recipe.epochs}, loss {loss:.3f}, ETA {left:.0f} s")
            if time.monotonic() - saved > self.save_every_s and self.epoch < self.recipe.epochs:
                self._save()
                saved = time.monotonic()
        return {k: v.clone() for k, v in sorted(self.vit.state_dict().items()) if not k.startswith("head.")}

    def _one_epoch(self) -> float:
        recipe, total = self.recipe, 0.0
        draws = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.epoch)
        batches = torch.randperm(len(self.x), generator=draws).split(recipe.batch_size)
        self.vit.train()
        for number, rows in enumerate(batches):
            lr = learning_rate(recipe, self.epoch + (number + 1) / len(batches))
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            x = self.x[rows].float().div_(255)
            if recipe.augmentation != "none":
                x = augment(x, recipe.augmentation, draws)
            loss = nn.functional.cross_entropy(self.vit(x), self.y[rows], label_smoothing=recipe.label_smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        if not math.isfinite(total):
            raise RecollectError(
                f"pre-training of {self.spec.id} diverged in epoch {self.epoch + 1}: lower its lr"
            )
        return total / len(self.x)

    @torch.no_grad()
    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of images of the pre-training classes among these that the network classifies correctly."""
        rows, places = rows_of(y, self.recipe.classes)
        self.vit.eval()
        parts = torch.from_numpy(np.array(x[rows])).split(EVAL_ROWS)
        answers = torch.cat([self.vit(part.float().div_(255)).argmax(dim=1) for part in parts])
        return float(np.mean(answers.numpy() == places))

    def _save(self) -> None:
        state = {
            "vit": self.vit.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": self.epoch,
            "seconds": self.seconds,
        }  # fmt: skip
        save_state(self.state_file, self.stamp, state)

    def _resume(self) -> None:
        state, problem = load_state(self.state_file, self.stamp)
        if problem:
            self.say(problem)
        if state is not None:
            self.vit.load_state_dict(state["vit"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.seconds = state["epoch"], state["seconds"]
            self.say(f"{self.spec.id}: continues after epoch {self.epoch}")
