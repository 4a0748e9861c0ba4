"""JSON documents that carry the hash of all else in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recollect.files import canonical_json, read_json, sha256_text
from recollect.scenarios.protocols import SplitError


def redo(path: Path) -> str:
    """What to do about a file that cannot be used."""
    return f"delete {path} and run again, it is made anew from the data"


def seal(body: dict[str, Any]) -> dict[str, Any]:
    """The document with its hash."""
    return {**body, "sha256": sha256_text(canonical_json(body))}


def read_sealed(path: Path, what: str) -> dict[str, Any]:
    """Read a document and check it against its own hash.

    Raises:
        RecollectError: the file is missing, incomplete or was changed by hand; ``what`` it should hold is named.
    """
    found = read_json(path, redo(path))
    if not isinstance(found, dict):
        raise SplitError(f"{path} holds no {what}: {redo(path)}")
    body = {key: value for key, value in found.items() if key != "sha256"}
    if found.get("sha256") != seal(body)["sha256"]:
        raise SplitError(f"{path} does not match its own SHA-256, it was changed or damaged: {redo(path)}")
    return found
