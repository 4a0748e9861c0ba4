"""Tables: the collected frame and a declaration become one table in five formats."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pandas as pd

from recollect.config.published import Published
from recollect.errors import RecollectError
from recollect.files import canonical_json, sha256_file, sha256_text
from recollect.provenance.fingerprint import step_fingerprint
from recollect.steps.collect import hash_file
from recollect.steps.places import Places
from recollect.steps.suite_pairs import expected
from recollect.steps.unchanged import Stamps
from recollect.tables import build_table, table_paths, write_table

NOT_DECLARED = ("published", "published_sha256", "differs")
"""Keys of a suite's table that say where published numbers come from and how they are read, not what is shown."""


def read_collected(path: Path) -> pd.DataFrame:
    """The collected frame of a suite.

    Raises:
        RecollectError: the file is missing, no CSV, or not what the collect step wrote.
    """
    known = hash_file(path)
    try:
        if known.is_file() and known.read_text().strip() != sha256_file(path):
            raise RecollectError(f"{path} was changed since it was collected: delete it and run again")
        text = dict.fromkeys(("metric", "status", "reason"), str)
        return pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"value": [""]})
    except FileNotFoundError:
        raise RecollectError(f"{path} is missing: run the collect step first") from None
    except (pd.errors.ParserError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RecollectError(f"{path} is damaged ({reason}): delete it and run again") from None


def declaration(suite: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """A table's declaration with the runs that it expects and what to know about its published numbers."""
    wanted = [e for e in expected(suite) if e[0] in table["scenarios"] and e[1] in table["methods"]]
    complete = {key: value for key, value in table.items() if key not in NOT_DECLARED}
    if "published" in table:
        complete["published_notes"] = Published.load().notes(table["published"], table["scenarios"])
    return {**complete, "expected": wanted}


def published_frame(table: dict[str, Any]) -> pd.DataFrame | None:
    """The published numbers that a table asks for, in the form that `build_table` takes.

    What a table does otherwise than the paper (``differs``) leaves nothing but the order of methods to compare.
    """
    if "published" not in table:
        return None
    published = Published.load()
    cells = [cell for scenario in table["scenarios"] for cell in published.cells(table["published"], scenario)]
    return pd.DataFrame([{**asdict(cell), "differs": cell.differs or table.get("differs", "")} for cell in cells])


def build(suite: dict[str, Any], table: dict[str, Any], collected: pd.DataFrame) -> pd.DataFrame:
    """One table frame with the suite's confidence level and number of resamples."""
    return build_table(
        collected,
        declaration(suite, table),
        published=published_frame(table),
        confidence=suite["confidence"],
        n_resamples=suite["n_resamples"],
    )


def make_tables(suite: dict[str, Any], places: Places) -> None:
    """Write all tables of a suite; those that show nothing new keep their files."""
    collected = read_collected(places.collected(suite["suite"]))
    folder = places.tables(suite["suite"])
    stamps, code = Stamps(folder / ".made_from.json"), step_fingerprint("recollect.steps.tables")
    for table in suite["tables"]:
        declared = declaration(suite, table)
        digest = _made_from(suite, declared, collected, published_frame(table), code)
        if not stamps.unchanged(table["id"], digest, table_paths(table["id"], folder)):
            write_table(build(suite, table, collected), declared, folder)
    stamps.save()


def _made_from(
    suite: dict[str, Any],
    declared: dict[str, Any],
    collected: pd.DataFrame,
    published: pd.DataFrame | None,
    code: str,
) -> str:
    """Hash of all that a table shows: its rows of the collected frame, published numbers, settings and code."""
    mine = collected["scenario"].isin(declared["scenarios"]) & collected["method"].isin(declared["methods"])
    mine &= collected["metric"].isin(declared["metrics"]) | (collected["status"] != "ok")
    rows = collected[mine].to_csv(index=False)
    shown = published.to_csv(index=False) if published is not None else ""
    settings = canonical_json([declared, suite["confidence"], suite["n_resamples"]])
    return sha256_text("\n".join((code, settings, rows, shown)))


def show(folder: Path, stream: IO[str]) -> None:
    """Print every table of a suite as text and say where the files lie.

    Raises:
        RecollectError: there is no table.
    """
    texts = sorted(folder.glob("*.txt"))
    if not texts:
        raise RecollectError(f"no table in {folder}: run snakemake --cores 2 first")
    for path in texts:
        stream.write(path.read_text().rstrip() + "\n\n")
    stream.write(f"Tables as CSV, Markdown, LaTeX and HTML: {folder}\n")
