"""Report: everything that is known of a suite, or of the committed results, on one page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recollect.config.claims import Claim, load_claims
from recollect.errors import RecollectError
from recollect.files import read_json, sha256_text, write_bytes, write_json
from recollect.provenance.environment import commit_date
from recollect.provenance.fingerprint import step_fingerprint
from recollect.report.claims import test_claim
from recollect.report.data import long_frame, parquet_bytes, ro_crate
from recollect.report.model import Group, PageTable
from recollect.report.page import render_page
from recollect.report.quality import ERROR, Finding
from recollect.report.runs import Run, carried_bytes, run_of_record
from recollect.report.statistics import main_metrics
from recollect.report.statistics_view import statistics_blocks
from recollect.report.values import COLUMNS, Values
from recollect.steps.places import Places
from recollect.steps.report_files import CRATE, DATA, PAGE, report_files
from recollect.steps.suite_pairs import expected
from recollect.steps.tables import declaration, read_collected
from recollect.steps.unchanged import Stamps
from recollect.tables.to_csv import from_csv

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

UNKNOWN_DATE = "1970-01-01"
"""Of results outside a git checkout: a crate must have a date."""
FOOTER = "Made by Recollect from files; the same files give the same page. docs/report.md says how to read it."
FIGURE_SHARE = 250_000
REDO = "run the suite again, only what is missing is made"


def report(suite: dict[str, Any], places: Places, command: str = "") -> list[Path]:
    """Write the page of a suite and the data it shows.

    Args:
        suite: name, scenarios, methods, seeds, tables and labels.
        places: the results folder.
        command: that makes the suite, for readers.
    """
    group = read_group(suite, places, command)
    return write_report([group], f"Results: {group.name}", places.report(group.name), _claims_of(suite), command)


def read_group(suite: dict[str, Any], places: Places, command: str) -> Group:
    """All that there is of a suite; what cannot be read is a finding, and the rest is shown."""
    trouble: list[Finding] = []
    collected = _collected(places.collected(suite["suite"]), trouble)
    tables = list(_tables(suite, places.tables(suite["suite"]), trouble))
    runs = list(_runs(suite, places, trouble))
    folder = places.figures(suite["suite"])
    figures = folder if folder.is_dir() else None
    return Group(
        suite["suite"], tables, collected, runs, expected(suite), suite["labels"],
        command or "snakemake --cores 2", figures, tuple(trouble),
    )  # fmt: skip


def _collected(path: Path, trouble: list[Finding]) -> pd.DataFrame:
    import pandas as pd

    try:
        return read_collected(path)
    except RecollectError as error:
        trouble.append(Finding(ERROR, str(path), str(error), "no number of it is on this page"))
        return pd.DataFrame({name: pd.Series(dtype="float" if name == "value" else "object") for name in COLUMNS})


def _tables(suite: dict[str, Any], folder: Path, trouble: list[Finding]) -> Iterable[PageTable]:
    for table in suite["tables"]:
        path = folder / f"{table['id']}.csv"
        try:
            text = path.read_text()
            frame = from_csv(text)
            declared = declaration(suite, table)
        except (OSError, UnicodeDecodeError, RecollectError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            what = f"table {table['id']} cannot be shown ({reason})"
            trouble.append(Finding(ERROR, str(path), what, "make the table again"))
            continue
        names = [path.with_suffix(suffix) for suffix in (".csv", ".tex")]
        yield PageTable(declared, frame, {file.name: file.read_text() for file in names if file.is_file()})


def _runs(suite: dict[str, Any], places: Places, trouble: list[Finding]) -> Iterable[Run]:
    """Records of the runs that there are; one that cannot be read is named, and stays as a failed run."""
    judged = _extractors(suite, places)
    for scenario, method, seed in expected(suite):
        path = places.run(scenario, method, seed) / "run.json"
        if not path.is_file():
            continue
        try:
            yield run_of_record(read_json(path, REDO), judged.get((scenario, method, seed)))
        except (RecollectError, KeyError, TypeError, AttributeError, ValueError) as error:
            reason = str(error) if isinstance(error, RecollectError) else f"{path} is no record of a run"
            todo = f"delete the folder {path.parent} and run again"
            trouble.append(Finding(ERROR, f"{scenario}/{method} seed {seed}", reason, todo))
            yield Run(scenario, method, seed, "failed", "its record cannot be read")


def _extractors(suite: dict[str, Any], places: Places) -> dict[tuple[str, str, int], tuple[str, str]]:
    """Which extractor and weights judged the samples of each run of a generator."""
    found = {}
    for scenario in suite["scenarios"]:
        for method in suite.get("generators", []):
            path = places.metrics(scenario, method)
            try:
                runs = read_json(path, REDO)["runs"] if path.is_file() else []
            except (RecollectError, KeyError, TypeError):
                continue
            for run in runs:
                made = run.get("generation") or {}
                if "extractor" in made:
                    found[scenario, method, run["seed"]] = (made["extractor"], made["extractor_sha256"])
    return found


def _claims_of(suite: dict[str, Any]) -> list[Claim]:
    """Claims about a method and a scenario that the suite has; all of them stand on the page of kept results."""
    methods, scenarios = set(suite["methods"]), set(suite["scenarios"])
    return [one for one in load_claims() if methods & set(one.methods) and scenarios & set(one.scenarios)]


def write_report(
    groups: Sequence[Group], title: str, folder: Path, claims: Sequence[Claim], command: str
) -> list[Path]:
    """Test the claims, compute the statistics and write page and figures below a folder."""
    values: Values = {key: per_seed for group in groups for key, per_seed in group.values().items()}
    carried = {key: one for group in groups for key, one in carried_bytes(group.runs).items()}
    outcomes = [test_claim(claim, values, carried) for claim in claims]
    blocks = [block for group in groups for block in _statistics(group, folder)]
    how = f"To fill it: {command}" if command else "To fill it: make results"
    page = render_page(title, groups, outcomes, blocks, how_to_run=how, footer=FOOTER).encode()
    files = {
        PAGE: ("text/html", page),
        DATA: ("application/vnd.apache.parquet", parquet_bytes(long_frame(groups))),
    }
    for name, (_, content) in files.items():
        write_bytes(folder / name, content)
    described = {
        name: (kind, hashlib.sha256(content).hexdigest(), len(content)) for name, (kind, content) in files.items()
    }
    write_json(folder / CRATE, ro_crate(groups, title, described, commit_date() or UNKNOWN_DATE), seal=False)
    return report_files(folder)


def _statistics(group: Group, folder: Path) -> list[Any]:
    metrics = main_metrics([table.declaration["metrics"] for table in group.tables])

    stamps = Stamps(folder / "figures" / f".{group.name}.json")
    code = step_fingerprint("recollect.figures.trade_offs")

    def draw(name: str, shown: object, make: Callable[[], Figure]) -> Mapping[str, bytes]:
        paths = {form: folder / "figures" / f"{group.name}-{name}.{form}" for form in ("svg", "png")}
        if not stamps.unchanged(name, sha256_text(f"{code} {shown!r}"), list(paths.values())):
            from recollect.figures.draw import render

            figure = make()
            for form, path in paths.items():
                write_bytes(path, render(figure, form))
        return {form: path.read_bytes() for form, path in paths.items()}

    from recollect.figures.style import style

    with style():
        blocks = statistics_blocks(group.values(), metrics, _sizes(group), group.labels, draw, FIGURE_SHARE)
    stamps.save()
    return blocks


def _sizes(group: Group) -> dict[str, tuple[int, int]]:
    """Scenario -> (tasks, classes), where both are known."""
    from recollect.datasets import DATASETS

    found = {}
    for run in group.runs:
        settings = run.scenario_settings
        if run.scenario in found or not {"n_tasks", "datasets"} <= set(settings):
            continue
        counts = [DATASETS[name].n_classes for name in settings["datasets"] if name in DATASETS]
        if len(counts) == len(settings["datasets"]):
            total = max(counts) if settings.get("labels") == "shared" else sum(counts)
            found[run.scenario] = (int(settings["n_tasks"]), total)
    return found
