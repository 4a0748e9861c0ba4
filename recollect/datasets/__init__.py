"""Data sets: official files in, verified arrays out. See docs/data.md."""

from recollect.datasets.checksums import content_sha256
from recollect.datasets.errors import (
    CannotWrite,
    CorruptData,
    DatasetError,
    DownloadFailed,
    MissingData,
    UnknownDataset,
)
from recollect.datasets.intact import check_intact
from recollect.datasets.prepare import prepare, prepare_spec
from recollect.datasets.registry import DATASETS, get_spec
from recollect.datasets.spec import DatasetSpec, Decoded, Part, RemoteFile
from recollect.datasets.store import Prepared, open_prepared

__all__ = [
    "DATASETS",
    "CannotWrite",
    "CorruptData",
    "DatasetError",
    "DatasetSpec",
    "Decoded",
    "DownloadFailed",
    "MissingData",
    "Part",
    "Prepared",
    "RemoteFile",
    "UnknownDataset",
    "check_intact",
    "content_sha256",
    "get_spec",
    "open_prepared",
    "prepare",
    "prepare_spec",
]
