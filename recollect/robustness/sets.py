"""Which corrupted test sets there are, and where their official archives are looked for. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from recollect.errors import RecollectError

CORRUPTIONS, PERTURBATIONS = "corruptions", "perturbations"
KINDS = (CORRUPTIONS, PERTURBATIONS)
SEVERITIES = 5


@dataclass(frozen=True)
class Archive:
    """An official archive: folders and .tar files it may be in, relative to data_dir; where to get it."""

    title: str
    places: tuple[str, ...]
    how_to_get: str


@dataclass(frozen=True)
class RobustnessSet:
    """Corrupted copies of one test set.

    Attributes:
        name: of the set; metrics end in ``@name``.
        dataset: whose test images are corrupted.
        fits: data sets whose classifiers may be judged: ``dataset`` and others of the same images and labels.
        archives: kind -> official archive; a kind without one is always made here.
        per_class: so many test images of every class, the first ones, None for all of them. Only for sets that
            have no archive.
    """

    name: str
    dataset: str
    fits: tuple[str, ...]
    archives: Mapping[str, Archive]
    per_class: int | None = None

    def rows(self, labels: np.ndarray) -> np.ndarray:
        """Positions in the test set, ascending, of the images to corrupt; labels (N,) of the whole set."""
        if self.per_class is None:
            return np.arange(len(labels))
        firsts = [np.flatnonzero(labels == label)[: self.per_class] for label in np.unique(labels)]
        return np.sort(np.concatenate(firsts))

    @property
    def part(self) -> str:
        """What tables say of a set that has not all test images."""
        return "" if self.per_class is None else f", {self.per_class} test images per class"

    def title(self, kind: str) -> str | None:
        """What its official images are called, None where there are none."""
        return self.archives[kind].title if kind in self.archives else None


def _places(name: str) -> tuple[str, ...]:
    return name, f"cifar100/{name}", f"{name}.tar", f"cifar100/{name}.tar"


CIFAR100 = RobustnessSet(
    name="cifar100",
    dataset="cifar100",
    fits=("cifar100", "cifar224"),
    archives=MappingProxyType(
        {
            CORRUPTIONS: Archive(
                "CIFAR-100-C",
                _places("CIFAR-100-C"),
                "CIFAR-100-C.tar of https://zenodo.org/records/3555552, MD5 11f0ed0f1191edbf9fa23466ae6021d3",
            ),
            PERTURBATIONS: Archive(
                "CIFAR-100-P",
                _places("CIFAR-100-P"),
                "CIFAR-100-P, see https://github.com/hendrycks/robustness",
            ),
        }
    ),
)
CIFAR100_10 = RobustnessSet("cifar100_10", "cifar100", CIFAR100.fits, MappingProxyType({}), per_class=10)
"""A tenth of the images, for processors."""
DIGITS = RobustnessSet("digits", "digits", ("digits",), MappingProxyType({}))
SETS: Mapping[str, RobustnessSet] = MappingProxyType({s.name: s for s in (CIFAR100, CIFAR100_10, DIGITS)})


def get_set(name: str) -> RobustnessSet:
    """Return the set called ``name``.

    Raises:
        RecollectError: there is none.
    """
    if name not in SETS:
        raise RecollectError(f"there is no robustness set {name!r}: choose one of {', '.join(SETS)}")
    return SETS[name]
