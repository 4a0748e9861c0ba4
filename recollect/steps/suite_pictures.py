"""Which pictures of generators there are; read while planning, so nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recollect.config.signature import defines

SAMPLES, RECONSTRUCTIONS, LATENTS = "samples", "reconstructions", "latents"
WITH_ENCODER = (SAMPLES, RECONSTRUCTIONS, LATENTS)
"""Kinds of pictures of a generator that has an encoder; of any other one there are samples."""
EXPERTS, MODALITIES = "experts", "modalities"
SELF_TOLD = (EXPERTS, MODALITIES)
"""Kinds of pictures of a method that looks at itself after every task; its record has all that they show."""
KINDS = (*WITH_ENCODER, *SELF_TOLD)
LOOKS_AT_ITSELF = "diagnose"
"""The method by whose name such a method is known."""
ENCODER = "encoder"
"""The property by whose name a generator with an encoder is known, see :mod:`recollect.generation.encoding`."""
DISTANCES = "distances"
FORMATS = ("png", "pdf")


def picture_paths(folder: Path, kind: str, scenario: str, method: str) -> list[Path]:
    """``<kind>-<scenario>-<method>.<format>`` in every format."""
    return [folder / f"{kind}-{scenario}-{method}.{form}" for form in FORMATS]


@dataclass(frozen=True)
class PictureGroup:
    """Methods of which there are pictures of the same kinds.

    Args:
        folder: of the pictures.
        kinds: of generators samples, and with an encoder also reconstructions and latents; or what methods tell.
        methods: their names.
    """

    folder: Path
    kinds: tuple[str, ...]
    methods: tuple[str, ...]

    @property
    def name(self) -> str:
        """``samples`` or ``samples_reconstructions_latents``; part of rule names."""
        return "_".join(self.kinds)

    @property
    def pattern(self) -> str:
        """The methods, for a wildcard."""
        return "|".join(self.methods)

    @property
    def outputs(self) -> list[str]:
        """Pictures of one run, with wildcards for scenario and method."""
        return [str(p) for kind in self.kinds for p in picture_paths(self.folder, kind, "{scenario}", "{method}")]

    def files(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Pictures of its methods among (scenario, method)."""
        runs = [{"scenario": s, "method": m} for s, m in pairs if m in self.methods]
        return [output.format(**run) for run in runs for output in self.outputs]


def picture_groups(folder: Path, generators: Mapping[str, Path], others: Mapping[str, Path]) -> list[PictureGroup]:
    """The generators with an encoder, those without, and methods that look at themselves.

    Args:
        folder: of the pictures.
        generators, others: the Python file of each.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for method, file in generators.items():
        groups.setdefault(WITH_ENCODER if defines(file, ENCODER) else (SAMPLES,), []).append(method)
    for method, file in others.items():
        if defines(file, LOOKS_AT_ITSELF):
            groups.setdefault(SELF_TOLD, []).append(method)
    return [PictureGroup(folder, kinds, tuple(methods)) for kinds, methods in groups.items()]
