"""Report on committed results: tables and provenance are all there is, the runs are elsewhere."""

from __future__ import annotations

from pathlib import Path

from recollect.config.claims import load_claims
from recollect.errors import RecollectError
from recollect.files import read_json
from recollect.report.kept import kept_declaration, kept_frame, title_and_notes
from recollect.report.model import Group, PageTable
from recollect.report.quality import ERROR, WARNING, Finding
from recollect.report.runs import Run, runs_of_provenance
from recollect.report.values import collected_of_tables
from recollect.steps.report import write_report

REDO = "restore it from the repository"


def kept_report(folder: Path, target: Path) -> list[Path]:
    """Write the page of all suites that are kept below a folder.

    Raises:
        RecollectError: the folder does not exist.
    """
    if not folder.is_dir():
        raise RecollectError(f"{folder} is no folder: committed results are in results/reproduced")
    groups = [_group(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    return write_report(groups, "Committed results", target, load_claims(), "")


def _group(folder: Path) -> Group:
    trouble: list[Finding] = []
    tables = [table for path in sorted(folder.glob("*.csv")) if (table := _table(path, trouble))]
    runs, command = _provenance(folder / "provenance.json", trouble)
    collected = collected_of_tables([table.frame for table in tables])
    shown = set(zip(collected["scenario"], collected["method"], strict=True))
    planned = [run.key for run in runs if run.key[:2] in shown and run.status == "ok"]
    labels = {method: label for table in tables for method, label in table.declaration["labels"].items()}
    trouble += [*_not_ok(runs), *_not_run(tables)]
    return Group(folder.name, tables, collected, runs, planned, labels, command, None, tuple(trouble))


def _table(path: Path, trouble: list[Finding]) -> PageTable | None:
    try:
        text = path.read_text()
        frame = kept_frame(text)
        markdown = path.with_suffix(".md")
        title, notes = title_and_notes(markdown.read_text() if markdown.is_file() else "")
        names = [file for file in (path, path.with_suffix(".tex")) if file.is_file()]
        downloads = {file.name: file.read_text() for file in names}
        return PageTable(kept_declaration(frame, path.stem, title or path.stem), frame, downloads, notes or None)
    except (RecollectError, UnicodeDecodeError) as error:
        trouble.append(Finding(ERROR, str(path), f"it cannot be shown ({error})", REDO))
        return None


def _provenance(path: Path, trouble: list[Finding]) -> tuple[list[Run], str]:
    try:
        found = read_json(path, REDO)
        return runs_of_provenance(found), str(found["command"])
    except RecollectError as error:
        trouble.append(Finding(ERROR, str(path), str(error), "nobody can tell how these numbers were made"))
    except (KeyError, TypeError, AttributeError, ValueError):
        trouble.append(Finding(ERROR, str(path), "it is no provenance of a suite", REDO))
    return [], ""


def _not_ok(runs: list[Run]) -> list[Finding]:
    return [
        Finding(WARNING, run.where, f"this run is {run.status}", "the table says why")
        for run in runs
        if run.status != "ok"
    ]


def _not_run(tables: list[PageTable]) -> list[Finding]:
    """Rows that were planned and never ran leave no record: the tables alone know of them."""
    absent: dict[str, list[str]] = {}
    for table in tables:
        rows = table.frame[(table.frame["status"] == "not run") & (table.frame["n_expected"] > 0)]
        for scenario, label in zip(rows["scenario"], rows["label"], strict=True):
            if label not in absent.setdefault(scenario, []):
                absent[scenario].append(label)
    return [
        Finding(WARNING, scenario, f"not run: {', '.join(labels)}", "run the suite to its end and keep it again")
        for scenario, labels in absent.items()
    ]
