"""What a page is made of, before any of it is words: one group per suite, with tables, values and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recollect.report.quality import Finding, check_quality, in_order
from recollect.report.runs import Run
from recollect.report.values import Values, values_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PageTable:
    """A table: its declaration, tidy frame, files to download by name, and notes where not those of the frame."""

    declaration: Mapping[str, Any]
    frame: pd.DataFrame
    downloads: Mapping[str, str]
    notes: Sequence[str] | None = None

    @property
    def id(self) -> str:
        """Identifier, unique in its suite."""
        return str(self.declaration["id"])


@dataclass(frozen=True)
class Group:
    """A suite and its results.

    collected: tidy frame of all values; expected: (scenario, method, seed) of every planned run. command: that
    makes the suite. figures: folder of its figures, None without. trouble: findings of whoever read the files.
    """

    name: str
    tables: Sequence[PageTable]
    collected: pd.DataFrame
    runs: Sequence[Run]
    expected: Sequence[tuple[str, str, int]]
    labels: Mapping[str, str]
    command: str
    figures: Path | None = None
    trouble: Sequence[Finding] = field(default_factory=tuple)

    def values(self) -> Values:
        """Values per seed."""
        return values_of(self.collected)

    def findings(self) -> list[Finding]:
        """Quality control, with the trouble there was in reading."""
        frames = {table.id: table.frame for table in self.tables}
        found = check_quality(self.collected, frames, self.runs, self.expected)
        return in_order([*self.trouble, *found])
