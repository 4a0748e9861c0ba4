"""Is it the data set it should be? Labels and counts before decoding, content after."""

from typing import Any

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.spec import DatasetSpec, Part


def check_labels(spec: DatasetSpec, part: Part, counts: tuple[int, ...] | None) -> None:
    """Compare labels with what is known of the data set, before the images are decoded.

    Raises:
        CorruptData: no rows, a label out of range, or (where `counts` are known) a wrong number of rows per
        class.
    """
    y = part.y
    if len(y) == 0 and counts is not None and not any(counts):
        return
    if len(y) == 0:
        raise CorruptData(f"{spec.name}: {part.origin} has no images: replace it by the official file")
    if y.min() < 0 or y.max() >= spec.n_classes:
        row = int(np.flatnonzero((y < 0) | (y >= spec.n_classes))[0])
        raise CorruptData(
            f"{spec.name}: {part.origin} has the label {y[row]} at row {row}, out of range "
            f"0..{spec.n_classes - 1}: replace it by the official file"
        )
    found = class_counts(y, spec.n_classes)
    if counts is None or found == list(counts):
        return
    if len(y) != sum(counts):
        raise CorruptData(
            f"{spec.name}: {part.origin} has {len(y):,} images where {sum(counts):,} are expected: "
            "replace it by the official file"
        )
    label = next(i for i, n in enumerate(counts) if found[i] != n)
    raise CorruptData(
        f"{spec.name}: {part.origin} has {found[label]} images of class {label} where {counts[label]} "
        "are expected: replace it by the official file"
    )


def class_counts(y: np.ndarray, n_classes: int) -> list[int]:
    """Count images per class; labels (N,) in 0..n_classes-1 -> n_classes integers."""
    return [int(n) for n in np.bincount(y, minlength=n_classes)]


def verdict(spec: DatasetSpec, content: str, rows: str | None, files: list[dict[str, Any]]) -> str:
    """Say how the content was verified.

    Raises:
        CorruptData: shapes and counts fit but the content is known and another.
    """
    known = spec.rows_sha256 or spec.content_sha256
    found = rows if spec.rows_sha256 else content
    if known is not None and found != known:
        raise CorruptData(
            f"{spec.name}: the files have the right shapes and counts but other content (checksum {found} of "
            f"the decoded arrays, {known} expected): replace them by the official files"
        )
    if known is not None:
        return "known content"
    published = {remote.sha256 for remote in spec.files}
    official = bool(files) and None not in published and {entry["sha256"] for entry in files} == published
    return "official files" if official else "shapes and counts"
