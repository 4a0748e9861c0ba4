"""Fetching official files: retries, mirrors, size and checksum, a temporary name until all is well."""

import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tqdm import tqdm

from recollect.datasets.errors import DownloadFailed
from recollect.datasets.spec import RemoteFile
from recollect.datasets.store import writing

LOG = logging.getLogger("recollect.datasets")
CHUNK_BYTES = 1 << 16
_TRANSIENT_HTTP = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Patience:
    """How long to try: attempts per address, timeout of a silent connection, first pause.

    The pause doubles after each failure. `sleep` is replaced in tests.
    """

    attempts: int = 3
    timeout_s: float = 30.0
    backoff_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep


class _Refused(Exception):  # noqa: N818
    """This address will not do: trying it again is pointless, the next one may work."""


def fetch(remote: RemoteFile, data_dir: Path, *, patience: Patience | None = None, progress: bool = True) -> Path:
    """Download one file into `data_dir / remote.path`, trying its addresses in order.

    A file that is already there is left alone. The bytes go to a temporary name beside it, are compared with
    the published size and checksums, and only then get their name; nothing half-written stays.

    Raises:
        DownloadFailed: no address gave the file; names each address with its reason.
        CannotWrite: the folder is read-only or full.
    """
    target = data_dir / remote.path
    if target.exists():
        return target
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    failures = []
    try:
        for url in remote.urls:
            reason = _try_address(url, remote, part, patience or Patience(), progress)
            if reason is None:
                with writing(target.parent):
                    part.replace(target)
                return target
            failures.append(f"{url} ({reason})")
    finally:
        part.unlink(missing_ok=True)
    tried = ", ".join(failures) or "no address is known"
    raise DownloadFailed(f"{remote.path} could not be downloaded: {tried}", wanted=[remote.path])


def _try_address(url: str, remote: RemoteFile, part: Path, patience: Patience, progress: bool) -> str | None:
    """Try one address up to `patience.attempts` times; None on success, else the last reason."""
    reason = "not tried"
    for attempt in range(patience.attempts):
        if attempt:
            patience.sleep(patience.backoff_s * 2 ** (attempt - 1))
        LOG.info("downloading %s from %s (attempt %d)", remote.path, url, attempt + 1)
        try:
            _transfer(url, remote, part, patience.timeout_s, progress)
        except _Refused as error:
            return str(error)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            error.close()
            if error.code not in _TRANSIENT_HTTP:
                return reason
        except (OSError, http.client.HTTPException) as error:
            reason = _reason(error)
        else:
            return None
        LOG.warning("%s: %s", url, reason)
    return reason


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _transfer(url: str, remote: RemoteFile, part: Path, timeout_s: float, progress: bool) -> None:
    """Download once to `part` and check it; raises _Refused, or what urllib raises."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise _Refused("only http and https addresses are fetched")
    request = urllib.request.Request(url, headers={"User-Agent": "recollect"})
    with urllib.request.urlopen(request, timeout=timeout_s) as response:
        stated = response.headers.get("Content-Length")
        size = remote.size_bytes or (int(stated) if stated and stated.isdigit() else None)
        digests = {name: hashlib.new(name) for name in ("sha256", "md5") if getattr(remote, name)}
        with writing(part.parent):
            stream = part.open("wb")
        with stream, _bar(remote, size, progress) as bar:
            n_bytes = _copy(response, stream, list(digests.values()), bar, remote.size_bytes)
    if stated and stated.isdigit() and n_bytes < int(stated):
        raise http.client.HTTPException(f"connection ended after {n_bytes:,} of {int(stated):,} bytes")
    if remote.size_bytes is not None and n_bytes != remote.size_bytes:
        raise _Refused(f"wrong size, {n_bytes:,} bytes where {remote.size_bytes:,} are expected")
    for name, digest in digests.items():
        if digest.hexdigest() != getattr(remote, name):
            raise _Refused(
                f"wrong checksum, {name} {digest.hexdigest()} where {getattr(remote, name)} is expected"
            )


def _copy(source: IO[bytes], stream: IO[bytes], digests: list, bar: tqdm, limit: int | None) -> int:
    n_bytes = 0
    while chunk := source.read(CHUNK_BYTES):
        n_bytes += len(chunk)
        if limit is not None and n_bytes > limit:
            raise _Refused(f"wrong size, more than the {limit:,} bytes expected")
        with writing(Path(stream.name).parent):
            stream.write(chunk)
        for digest in digests:
            digest.update(chunk)
        bar.update(len(chunk))
    with writing(Path(stream.name).parent):
        stream.flush()
    return n_bytes


def _bar(remote: RemoteFile, size_bytes: int | None, progress: bool) -> tqdm:
    # disable=None: a bar on a terminal, nothing in a log file.
    return tqdm(
        total=size_bytes,
        unit="B",
        unit_scale=True,
        desc=Path(remote.path).name,
        disable=None if progress else True,
    )
