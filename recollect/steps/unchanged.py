"""What was made from what, so that a change of one cell makes anew only what shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from recollect.files import sha256_file, sha256_text, write_json


class Stamps:
    """Digests of what files were made from and of the files themselves, in a file beside them.

    Files that were changed by another hand, or left by a job that was killed between writing and :meth:`save`,
    do not match and are made anew. A damaged file of stamps is as good as none.

    Args:
        path: of the stamps.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old: dict[str, str] = {}
        self._new: dict[str, tuple[str, Sequence[Path]]] = {}
        try:
            found = json.loads(path.read_text())
            self._old = {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
        except (OSError, ValueError):
            pass

    def unchanged(self, name: str, digest: str, files: Sequence[Path]) -> bool:
        """Whether files were made from this digest and are as they were; then they get today's time."""
        self._new[name] = (digest, files)
        if name not in self._old or self._old[name] != _stamp(digest, files):
            return False
        for file in files:
            file.touch()
        return True

    def save(self) -> None:
        """Write the stamps of everything asked for; call it when all files are made."""
        write_json(self._path, {name: _stamp(*made) for name, made in self._new.items()}, seal=False)


def _stamp(digest: str, files: Sequence[Path]) -> str:
    """Of what was read and what was written; a file that is missing has its own."""
    written = [sha256_file(file) if file.is_file() else "missing" for file in files]
    return sha256_text("\n".join([digest, *written]))
