"""Gaussians of class features: mean and covariance per class, kept packed, sampled in blocks of classes.

LCA, SLCA and MOS align their classifiers on samples from N(mu_c, Sigma_c) instead of stored images. Sigma_c is the
unbiased sample covariance plus a ridge of 1e-4.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from recollect.errors import RecollectError

Kind = Literal["full", "low_rank", "diagonal"]
RIDGE = 1e-4
BLOCK_CLASSES = 16
"""Classes whose covariances are unpacked and factored at once: never all of them, which would hold them twice."""
MAX_RIDGES = 8
LOG = logging.getLogger("recollect.pretrained")


class ClassGaussians:
    """Mean and spread of every class seen so far.

    Args:
        dim: d, width of features.
        kind: ``full`` covariances; ``low_rank``, the ``rank`` largest principal directions and a diagonal for the
            rest; or ``diagonal``, variances alone.
        rank: of ``low_rank``.
        ridge: added to every variance.

    Attributes:
        classes: in order of arrival.
        means: (d,) of each.
        spreads: of each, ``full``: the d(d+1)/2 entries of the lower triangle; ``low_rank``: (rank + 1, d), scaled
            directions and the variances that they leave; ``diagonal``: (d,) variances.
        ridges: of classes whose covariance needed more than the ridge to be factored, what was added.
    """

    def __init__(self, dim: int, kind: Kind = "full", rank: int = 0, ridge: float = RIDGE) -> None:
        if kind == "low_rank" and not 0 < rank <= dim:
            raise RecollectError(f"covariance_rank is {rank}: low-rank covariances need one between 1 and {dim}")
        self.dim, self.kind, self.rank, self.ridge = dim, kind, rank, ridge
        self.classes: list[int] = []
        self.means: list[Tensor] = []
        self.spreads: list[Tensor] = []
        self.ridges: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self.classes)

    def add(self, label: int, features: Tensor) -> None:
        """Statistics of a class from its features (n, d).

        One image alone has no sample covariance: its class gets the ridge, which is said.
        """
        if not torch.isfinite(features).all():
            raise RecollectError(f"features of class {label} are not finite: lower the learning rate")
        mean = features.mean(dim=0)
        centred = features - mean
        if len(features) == 1:
            LOG.warning("class %d has a single image: its covariance is the ridge %g alone", label, self.ridge)
        self.classes.append(label)
        self.means.append(mean)
        self.spreads.append(self._spread(centred, max(len(features) - 1, 1)))

    def _spread(self, centred: Tensor, freedom: int) -> Tensor:
        variances = centred.square().sum(dim=0) / freedom
        if self.kind == "diagonal":
            return variances + self.ridge
        if self.kind == "full":
            covariance = centred.T @ centred / freedom
            covariance.diagonal().add_(self.ridge)
            return covariance[self._triangle(centred.device)]
        _, scales, directions = torch.linalg.svd(centred, full_matrices=False)
        kept = min(self.rank, len(scales))
        scaled = centred.new_zeros(self.rank, self.dim)
        scaled[:kept] = scales[:kept, None] * directions[:kept] / freedom**0.5
        left = (variances - scaled.square().sum(dim=0)).clamp(min=0) + self.ridge
        return torch.cat([scaled, left[None]])

    def _triangle(self, device: torch.device) -> Tensor:
        return torch.ones(self.dim, self.dim, dtype=torch.bool, device=device).tril()

    def mean_matrix(self) -> Tensor:
        """Means (K, d) in the order of :attr:`classes`."""
        return torch.stack(self.means)

    def covariance(self, label: int) -> Tensor:
        """Covariance (d, d) of a class, ridge included."""
        return self._covariances([self.classes.index(label)])[0]

    def _covariances(self, places: Sequence[int]) -> Tensor:
        spreads = [self.spreads[i] for i in places]
        if self.kind == "diagonal":
            return torch.stack([torch.diag(s) for s in spreads])
        if self.kind == "low_rank":
            return torch.stack([s[:-1].T @ s[:-1] + torch.diag(s[-1]) for s in spreads])
        triangle = self._triangle(spreads[0].device)
        full = spreads[0].new_zeros(len(spreads), self.dim, self.dim)
        for matrix, packed in zip(full, spreads, strict=True):
            matrix[triangle] = packed
        return full + full.tril(-1).transpose(1, 2)

    def _factors(self, places: Sequence[int]) -> Tensor:
        """Cholesky factors (k, d, d); a covariance that has none gets ten times the ridge until it has one."""
        matrices = self._covariances(places)
        factors, failed = torch.linalg.cholesky_ex(matrices)
        for i in torch.nonzero(failed).flatten().tolist():
            label, ridge = self.classes[places[i]], self.ridge
            for _ in range(MAX_RIDGES):
                ridge *= 10
                added = matrices[i] + ridge * torch.eye(self.dim, device=matrices.device)
                factors[i], still = torch.linalg.cholesky_ex(added)
                if not still:
                    break
            else:
                raise RecollectError(
                    f"the covariance of class {label} has no Cholesky factor even with {ridge:g} added: use "
                    "covariance: diagonal"
                )
            LOG.warning(
                "covariance of class %d is not positive definite: %g was added to its diagonal", label, ridge
            )
            self.ridges[label] = ridge
        return factors

    @torch.no_grad()
    def sample(
        self, per_class: int, generator: torch.Generator, scale: Callable[[int], float] = lambda label: 1.0
    ) -> tuple[Tensor, Tensor]:
        """Samples of every class.

        Args:
            per_class: how many of each.
            generator: CPU generator; the numbers drawn do not depend on the device.
            scale: factor of a class's mean (SLCA shrinks old ones).

        Returns:
            (samples (K * per_class, d), labels (K * per_class,)), class by class.
        """
        blocks = []
        for start in range(0, len(self), BLOCK_CLASSES):
            places = range(start, min(start + BLOCK_CLASSES, len(self)))
            means = torch.stack([self.means[i] * scale(self.classes[i]) for i in places])
            blocks.append(means[:, None] + self._deviations(places, per_class, generator, means.device))
        labels = torch.tensor(self.classes, device=self.means[0].device).repeat_interleave(per_class)
        return torch.cat(blocks).flatten(0, 1), labels

    def _deviations(self, places: range, n: int, generator: torch.Generator, device: torch.device) -> Tensor:
        noise = torch.randn(len(places), n, self.dim, generator=generator).to(device)
        if self.kind == "full":
            return noise @ self._factors(places).transpose(1, 2)
        spreads = torch.stack([self.spreads[i] for i in places])
        if self.kind == "diagonal":
            return noise * spreads.sqrt()[:, None]
        low = torch.randn(len(places), n, self.rank, generator=generator).to(device)
        return low @ spreads[:, :-1] + noise * spreads[:, -1:].sqrt()

    def state_dict(self) -> dict[str, Any]:
        """Everything, by reference."""
        ridges = {str(label): ridge for label, ridge in self.ridges.items()}
        return {
            "classes": list(self.classes), "means": list(self.means), "spreads": list(self.spreads),
            "ridges": ridges,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`state_dict` returned."""
        self.classes, self.means, self.spreads = (list(state[key]) for key in ("classes", "means", "spreads"))
        self.ridges = {int(label): ridge for label, ridge in state["ridges"].items()}
