"""The file of reference features: what generated samples are compared with, task by task."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recollect.extractors.errors import ExtractorError
from recollect.files import canonical_json, write_with

ABOUT = "about"


@dataclass(frozen=True)
class Reference:
    """Features of the evaluation images of every task.

    Attributes:
        tasks: per task float32 (n, feature_dim), in the order of the manifest's rows.
        extractor: id of the extractor.
        extractor_sha256: of its weights.
        split_sha256: of the manifest.
    """

    tasks: Sequence[np.ndarray]
    extractor: str
    extractor_sha256: str
    split_sha256: str

    @property
    def counts(self) -> list[int]:
        """Images per task."""
        return [len(features) for features in self.tasks]


def write_reference(path: Path, reference: Reference) -> None:
    """Write an ``.npz`` of arrays ``task0``.. and ``about`` (JSON as text); equal content gives equal bytes."""
    about = {
        "extractor": reference.extractor,
        "extractor_sha256": reference.extractor_sha256,
        "split_sha256": reference.split_sha256,
        "counts": reference.counts,
    }
    arrays = {f"task{number}": features for number, features in enumerate(reference.tasks)}
    arrays[ABOUT] = np.array(canonical_json(about))
    write_with(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def read_reference(path: Path) -> Reference:
    """Read what :func:`write_reference` wrote.

    Raises:
        ExtractorError: the file is missing or damaged.
    """
    redo = "run the reference step again"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays[ABOUT]))
            counts = about.pop("counts")
            found = Reference([arrays[f"task{number}"] for number in range(len(counts))], **about)
    except FileNotFoundError:
        raise ExtractorError(f"{path} is missing: {redo}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ExtractorError(f"{path} is damaged: delete it and {redo}") from error
    if found.counts != counts:
        raise ExtractorError(f"{path} has {found.counts} features where it says {counts}: delete it and {redo}")
    return found
