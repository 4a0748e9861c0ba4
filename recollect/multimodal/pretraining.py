"""Training an embedded transformer for one modality: as a classifier, or by filling in hidden patches.

Hidden patches (Xie et al., SimMIM, 2022): some patch embeddings are replaced by one learned vector, and a linear
layer predicts the standardised values of those patches; mean squared error. No label is looked at.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recollect.errors import RecollectError
from recollect.multimodal.registry import TowerPretraining, TowerSpec
from recollect.multimodal.towers import random_tower
from recollect.pretrained.pretraining import EVAL_ROWS, AdamW, Pretrainer, learning_rate, rows_of

LOG = logging.getLogger("recollect.multimodal")


def patches(x: Tensor, patch: tuple[int, int]) -> Tensor:
    """Values of every patch, (N, T, C * h * w), of samples (N, C, H, W); patches row by row."""
    n, channels, height, width = x.shape
    h, w = patch
    cut = x.reshape(n, channels, height // h, h, width // w, w).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(n, (height // h) * (width // w), channels * h * w)


class FillIn(nn.Module):
    """The transformer with the vector of hidden patches and the layer that predicts them."""

    def __init__(self, spec: TowerSpec, seed: int) -> None:
        super().__init__()
        self.tower = random_tower(spec.size, seed)
        self.patch = tuple(spec.size["patch"])
        draw = torch.Generator().manual_seed(seed)
        dim, values = spec.size["dim"], spec.size["shape"][0] * math.prod(self.patch)
        self.hidden = nn.Parameter(0.02 * torch.randn(dim, generator=draw))
        self.weight = nn.Parameter(torch.randn(values, dim, generator=draw) / math.sqrt(dim))
        self.bias = nn.Parameter(torch.zeros(values))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error of the hidden patches; x (N, C, H, W), mask bool (N, T)."""
        vit, embedding = self.tower, self.tower.patch_embed
        tokens = torch.where(mask[:, :, None], self.hidden, embedding(x))
        tokens = vit.norm_pre(vit._pos_embed(tokens))
        for block in vit.blocks:
            tokens = block(tokens)
        made = nn.functional.linear(vit.norm(tokens)[:, vit.num_prefix_tokens :], self.weight, self.bias)
        wanted = patches((x - embedding.mean) / embedding.deviation, self.patch)  # type: ignore[arg-type]
        return (made - wanted)[mask].square().mean()


class TowerPretrainer(Pretrainer):
    """Trains one transformer; loop, saving and resuming are those of the other embedded backbones.

    Args:
        spec: with ``pretraining``.
        x: all training samples (N, ...) of the modality, bytes or floats.
        y: labels (N,), looked at by the task ``classes`` alone.
        state_file, stamp, save_every_s, say: as in :class:`~recollect.pretrained.pretraining.Pretrainer`.
    """

    recipe: TowerPretraining

    def __init__(
        self, spec: TowerSpec, x: np.ndarray, y: np.ndarray, state_file: Path, stamp: str,
        save_every_s: float = 120.0, say: Callable[[str], None] = LOG.info,
    ) -> None:  # fmt: skip
        if not isinstance(spec.pretraining, TowerPretraining):
            raise RecollectError(f"transformer {spec.id} is not trained here")
        self.spec, self.recipe = spec, spec.pretraining
        self.x, self.y = self._chosen(x, y)
        self.state_file, self.stamp, self.save_every_s, self.say = state_file, stamp, save_every_s, say
        seed, classes = self.recipe.seed, len(self.recipe.classes)
        self.vit: Any = FillIn(spec, seed) if self._fills_in else random_tower(spec.size, seed, classes)
        embedding = (self.vit.tower if self._fills_in else self.vit).patch_embed
        values = self.fractions(self.x[:: max(1, len(self.x) // 2000)])
        embedding.mean.copy_(values.mean())
        embedding.deviation.copy_(values.std().clamp(min=1e-3))
        self.optimizer = AdamW(self._groups(), self.recipe.lr, self.recipe.weight_decay)
        self.epoch, self.seconds = 0, 0.0

    @property
    def _fills_in(self) -> bool:
        return self.recipe.task == "masked"

    def _chosen(self, x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
        if self._fills_in:
            return torch.from_numpy(np.array(x)), torch.zeros(len(x), dtype=torch.long)
        rows, places = rows_of(y, self.recipe.classes)
        return torch.from_numpy(np.array(x[rows])), torch.from_numpy(places)

    def fractions(self, x: Tensor) -> Tensor:
        """Samples (N, *shape) as a run sees them: bytes as fractions of 255."""
        x = x.float().div_(255) if x.dtype == torch.uint8 else x.float()
        return x.reshape(len(x), *self.spec.size["shape"])

    def train(self) -> dict[str, Tensor]:
        """All epochs that are left; the weights without what served the task alone."""
        weights = super().train()
        if not self._fills_in:
            return weights
        return {k.removeprefix("tower."): v for k, v in weights.items() if k.startswith("tower.")}

    def _loss(self, x: Tensor, y: Tensor, draws: torch.Generator) -> Tensor:
        if not self._fills_in:
            return nn.functional.cross_entropy(self.vit(x), y, label_smoothing=self.recipe.label_smoothing)
        n_patches = self.vit.tower.patch_embed.num_patches
        hidden = torch.rand(len(x), n_patches, generator=draws).argsort(dim=1) < round(
            self.recipe.mask * n_patches
        )
        return self.vit(x, hidden)

    def _one_epoch(self) -> float:
        recipe, total = self.recipe, 0.0
        draws = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.epoch)
        batches = torch.randperm(len(self.x), generator=draws).split(recipe.batch_size)
        self.vit.train()
        for number, rows in enumerate(batches):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(recipe, self.epoch + (number + 1) / len(batches))
            loss = self._loss(self.fractions(self.x[rows]), self.y[rows], draws)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        if not math.isfinite(total):
            raise RecollectError(f"training of {self.spec.id} diverged in epoch {self.epoch + 1}: lower its lr")
        return total / len(self.x)

    @torch.no_grad()
    def judged(self, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """On other samples: share classified correctly, or error of hidden patches in units of variance."""
        self.vit.eval()
        tensors, labels = self._chosen(x, y)
        draws = torch.Generator().manual_seed(0)
        parts = list(zip(tensors.split(EVAL_ROWS), labels.split(EVAL_ROWS), strict=True))
        if self._fills_in:
            errors = [float(self._loss(self.fractions(part), y, draws)) * len(part) for part, y in parts]
            return {"test_hidden_error": sum(errors) / len(tensors)}
        right = sum(int((self.vit(self.fractions(part)).argmax(dim=1) == y).sum()) for part, y in parts)
        return {"test_accuracy": right / len(tensors)}
