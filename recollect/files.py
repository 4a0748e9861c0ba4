"""Reading and writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from recollect.errors import RecollectError

PARTIAL = ".partial"
FORGOTTEN_S = 3600.0
"""No file takes an hour to be written: whoever began it was killed."""
SEAL = "seal"
"""Key of the hash that an object in a JSON file has of the rest of its content."""
_HINTS = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again, finished work is kept",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EACCES: "it may not be written: check the permissions of the folder",
    errno.EPERM: "it may not be written: check the permissions of the folder",
    errno.EROFS: "it lies on a read-only file system: choose a folder that can be written",
}


def cannot_write(path: Path, error: OSError) -> RecollectError:
    """The sentence for a failed write of ``path``."""
    hint = _HINTS.get(error.errno or 0, error.strerror or str(error))
    return RecollectError(f"cannot write {path}: {hint}")


def write_with(path: Path, writer: Callable[[IO[bytes]], object]) -> None:
    """Call ``writer(file)`` on a temporary file beside ``path``, then rename it into place.

    Raises:
        RecollectError: when the folder cannot be written or the disk is full; ``path`` is untouched.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL, delete=False
        ) as file:
            temporary = Path(file.name)
            writer(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def forget_partial(folder: Path) -> None:
    """Remove what processes that were killed while writing left in ``folder`` and below, if it is an hour old.

    Younger ones may be another's who is writing now.
    """
    for path in folder.rglob(f".*{PARTIAL}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > FORGOTTEN_S:
                path.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    write_with(path, lambda file: file.write(content))


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text to ``path`` atomically."""
    write_bytes(path, content.encode())


def canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, value: Any, *, seal: bool = True) -> None:
    """Write ``value`` as readable JSON, atomically; NaN is refused, write None instead.

    Args:
        path: the file.
        value: what :mod:`json` takes.
        seal: give an object the hash of its content, so that :func:`read_json` notices a changed digit.
    """
    value = sealed(value) if seal and isinstance(value, dict) else value
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The object with the hash of its content, as that will be read: keys are texts by then."""
    return {**value, SEAL: sha256_text(canonical_json(json.loads(json.dumps(value))))}


def unsealed(value: dict[str, Any]) -> dict[str, Any]:
    """The object without its hash; one without any is taken as it is.

    Raises:
        ValueError: the content is not the one of the hash.
    """
    content = {key: item for key, item in value.items() if key != SEAL}
    if SEAL in value and value[SEAL] != sealed(content)[SEAL]:
        raise ValueError("its content was changed")
    return content


def read_json(path: Path, redo: str) -> Any:
    """Read a JSON file that one of our steps wrote; the seal is checked where there is one, and taken off.

    Args:
        path: the file.
        redo: what to tell a user whose file is unreadable, e.g. "delete it and run again".

    Raises:
        RecollectError: the file is missing, not complete JSON, or not as it was written.
    """
    try:
        value = json.loads(Path(path).read_text())
        return unsealed(value) if isinstance(value, dict) else value
    except FileNotFoundError:
        raise RecollectError(f"{path} is missing: {redo}") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise RecollectError(f"{path} is damaged ({error}): {redo}") from None


def sha256_text(text: str) -> str:
    """Hex SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
