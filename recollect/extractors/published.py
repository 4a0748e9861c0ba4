"""Published weights: found in `data_dir` or downloaded, and used only if they are the published bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recollect.datasets.download import Patience, fetch
from recollect.datasets.errors import DownloadFailed
from recollect.datasets.spec import RemoteFile
from recollect.extractors.errors import ExtractorError
from recollect.extractors.spec import ExtractorSpec
from recollect.extractors.weights import Weights, read_weights, weights_sha256
from recollect.files import sha256_file


@dataclass(frozen=True)
class Found:
    """A verified weights file: the entry of the spec that it is, and ``data_dir`` or ``download``."""

    remote: RemoteFile
    how: str
    weights: Weights


def published_weights(
    spec: ExtractorSpec,
    data_dir: Path,
    *,
    offline: bool = False,
    patience: Patience | None = None,
    progress: bool = True,
) -> Found:
    """Weights of an extractor from `data_dir`, where they are downloaded to if need be.

    Args:
        spec: an extractor with `files`.
        data_dir: the folder that has, or gets, the folder ``weights``; it must exist.
        offline: never open a connection.
        patience: how long a download is tried.
        progress: a progress bar on stderr, when that is a terminal.

    Raises:
        ExtractorError: no file and no way to get one, or a file that is not the published one.
        CannotWrite: a download has no place to go.
    """
    if not data_dir.is_dir():
        raise ExtractorError(
            f"data_dir {data_dir} is not an existing folder: create it, or correct RECOLLECT_DATA or "
            "--config data_dir="
        )
    remote = next((file for file in spec.files if (data_dir / file.path).is_file()), None)
    how = "data_dir" if remote else "download"
    if remote is None:
        remote = _download(spec, data_dir, offline, patience, progress)
    path = data_dir / remote.path
    _check_file(spec, path, remote)
    weights = read_weights(path)
    found = weights_sha256(weights)
    if spec.weights_sha256 not in (None, found):
        raise ExtractorError(
            f"extractor {spec.id}: {path} holds other weights than the published ones: replace it"
        )
    return Found(remote, how, weights)


def _download(
    spec: ExtractorSpec, data_dir: Path, offline: bool, patience: Patience | None, progress: bool
) -> RemoteFile:
    names = " or ".join(file.path for file in spec.files)
    remote = next(file for file in spec.files if file.urls)
    missing = f"extractor {spec.id}: {data_dir} has no {names}"
    advice = "put the file there by hand, or point RECOLLECT_DATA or --config data_dir= at a folder that has it"
    if offline:
        raise ExtractorError(f"{missing}; offline, so not tried: {', '.join(remote.urls)}; {advice}")
    try:
        fetch(remote, data_dir, patience=patience, progress=progress)
    except DownloadFailed as error:
        raise ExtractorError(f"{missing}, and {error}; {advice}") from error
    return remote


def _check_file(spec: ExtractorSpec, path: Path, remote: RemoteFile) -> None:
    size = path.stat().st_size
    if remote.size_bytes is not None and size != remote.size_bytes:
        reason = f"has {size:,} bytes where {remote.size_bytes:,} are expected"
    elif (found := sha256_file(path)) != remote.sha256:
        reason = f"has the SHA-256 {found} where {remote.sha256} is expected"
    else:
        return
    raise ExtractorError(
        f"extractor {spec.id}: {path} {reason}, it is not used: replace it by the published file, or delete it to "
        "have it downloaded"
    )
