"""What was made from what, so that a change of one cell makes anew only what shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from recollect.files import write_json


class Stamps:
    """Digests of what files were made from, in a file beside them. A damaged one is as good as none.

    Args:
        path: of the stamps.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old: dict[str, str] = {}
        self._new: dict[str, str] = {}
        try:
            found = json.loads(path.read_text())
            self._old = {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
        except (OSError, ValueError):
            pass

    def unchanged(self, name: str, digest: str, files: Sequence[Path]) -> bool:
        """Whether files were made from this digest and are there; then they get today's time, as if made now."""
        self._new[name] = digest
        if self._old.get(name) != digest or not all(file.is_file() for file in files):
            return False
        for file in files:
            file.touch()
        return True

    def save(self) -> None:
        """Write the stamps of everything asked for; call it when all files are made."""
        write_json(self._path, self._new)
