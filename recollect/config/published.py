"""Which published numbers stand beside ours: config/published.yaml applied to results/published/.

Reads YAML and CSV only, so that planning can check every entry before a job starts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recollect.config.published_rows import PublishedRow, read_rows
from recollect.config.schema import ConfigError, read_yaml, suggestion, validate
from recollect.files import canonical_json, sha256_text
from recollect.layout import ROOT

MAPPING_FILE = ROOT / "config" / "published.yaml"
RESULTS_FILE = ROOT / "results" / "published" / "published_results.csv"
NOT_IMPLEMENTED = "not implemented"


@dataclass(frozen=True)
class PublishedCell:
    """A published number that has a place beside ours, in the unit of our data.

    method is ours, or the published name where there is no implementation, and status then says so. note tells
    readers of the table what makes the comparison doubtful. exchangeable is the metric whose label it may bear.
    differs: what makes the value itself incomparable with ours, so that only the order of methods counts.
    """

    scenario: str
    method: str
    metric: str
    value: float
    std: float
    source: str
    published_as: str
    note: str
    status: str
    exchangeable: str
    differs: str = ""


class Published:
    """The mapping and the rows it selects from."""

    def __init__(self, papers: dict[str, Any], rows: Sequence[PublishedRow], where: str) -> None:
        self.papers = papers
        self.rows = rows
        self._where = where

    @classmethod
    def load(cls, mapping: Path = MAPPING_FILE, results: Path = RESULTS_FILE) -> Published:
        """Read both files; raises ConfigError where one is not as it should be."""
        papers = read_yaml(mapping)
        validate(papers, "published", [mapping])
        where = mapping.relative_to(ROOT) if mapping.is_relative_to(ROOT) else mapping
        return cls(papers, read_rows(results), str(where))

    def cells(self, paper: str, scenario: str) -> list[PublishedCell]:
        """All numbers of a paper for a scenario of ours, by published method and metric in the mapping's order.

        Raises:
            ConfigError: the paper or scenario has no mapping, or a selection finds nothing, more than one number
                for a cell, or a method or metric that the mapping does not know.
        """
        entry = self._scenario(paper, scenario)
        found: dict[tuple[str, str], list[PublishedRow]] = {}
        for name in entry["sources"]:
            for key, row in self._select(paper, scenario, name).items():
                found.setdefault(key, []).append(row)
        known = self.papers[paper]
        order = [(method, metric) for method in known["methods"] for metric in known["metrics"]]
        cells = [self._cell(paper, scenario, found[key]) for key in order if key in found]
        self._check_distinct(paper, scenario, cells)
        return cells

    def notes(self, paper: str, scenarios: Sequence[str]) -> list[str]:
        """What readers should know about all published numbers of a table."""
        about = [self.papers[paper].get("note", "")]
        for scenario in scenarios:
            note = self._scenario(paper, scenario).get("note")
            if note:
                about.append(f"{scenario}: {note}" if len(scenarios) > 1 else note)
        return [note.strip() for note in about if note]

    def digest(self, paper: str, scenarios: Sequence[str]) -> str:
        """A hash of all that a table shows of a paper: a change of it makes the table anew."""
        # repr, as JSON has no NaN
        shown = [repr(asdict(cell)) for scenario in scenarios for cell in self.cells(paper, scenario)]
        return sha256_text(canonical_json([shown, self.notes(paper, scenarios)]))[:16]

    def why_left_out(self, row: PublishedRow) -> str:
        """Why a row is in no table by the mapping's `left_out`, empty if it says nothing about it."""
        for entry in self.papers[row.paper_id].get("left_out", []):
            if all(getattr(row, key) == value for key, value in entry.items() if key != "why"):
                return str(entry["why"])
        return ""

    def check(self, paper: str, methods: Collection[str], scenarios: Mapping[str, Mapping[str, Any]]) -> None:
        """Check a paper's mapping against the methods and scenarios that there are.

        Raises:
            ConfigError: an unknown name, another extractor than the scenario's, or what `cells` raises.
        """
        from recollect.tables.metric_info import METRICS, SAMPLE_METRICS

        entry = self._paper(paper)
        for name, method in entry["methods"].items():
            self._known(method.get("method"), methods, f"{paper}.methods.{name}.method")
        for name, metric in entry["metrics"].items():
            self._known(metric["metric"], [*METRICS, *SAMPLE_METRICS], f"{paper}.metrics.{name}.metric")
            self._known(metric.get("exchangeable"), entry["metrics"], f"{paper}.metrics.{name}.exchangeable")
        for name, mapped in entry["scenarios"].items():
            self._known(name, scenarios, f"{paper}.scenarios")
            for published, method in mapped.get("methods", {}).items():
                self._known(published, entry["methods"], f"{paper}.scenarios.{name}.methods")
                self._known(method, methods, f"{paper}.scenarios.{name}.methods.{published}")
            if mapped.get("extractor") != (ours := scenarios[name].get("extractor")):
                raise ConfigError(
                    f"{paper}.scenarios.{name} in {self._where} has extractor {mapped.get('extractor')}, the "
                    f"scenario is judged with {ours}: they cannot be compared, take the entry out"
                )
            self.cells(paper, name)

    # Parts -----------------------------------------------------------------------------------------

    def _known(self, name: str | None, allowed: Collection[str], where: str) -> None:
        if name is not None and name not in allowed:
            raise ConfigError(f"{where} has {name!r} in {self._where}: {suggestion(name, allowed)}")

    def _paper(self, paper: str) -> dict[str, Any]:
        if paper not in self.papers:
            raise ConfigError(f"{self._where} has no paper {paper!r}: {suggestion(paper, self.papers)}")
        return self.papers[paper]

    def _scenario(self, paper: str, scenario: str) -> dict[str, Any]:
        entries = self._paper(paper)["scenarios"]
        if scenario not in entries:
            raise ConfigError(
                f"{paper} in {self._where} has no published numbers for scenario {scenario!r}: "
                f"{suggestion(scenario, entries)}"
            )
        return entries[scenario]

    def _select(self, paper: str, scenario: str, source: str) -> dict[tuple[str, str], PublishedRow]:
        """The rows of one source, by published method and metric; each cell may be there once."""
        entry = self._scenario(paper, scenario)
        where = f"{paper}.scenarios.{scenario}.sources in {self._where}"
        sources = self.papers[paper]["sources"]
        if source not in sources:
            raise ConfigError(f"{where} has {source!r}: {suggestion(source, sources)}")
        wanted = (paper, entry["dataset"], entry["scenario"], entry.get("n_tasks"), *sources[source].values())
        keys = ("paper_id", "dataset", "scenario", "n_tasks", *sources[source])
        found: dict[tuple[str, str], PublishedRow] = {}
        for row in self.rows:
            if tuple(getattr(row, key) for key in keys) != wanted or self.why_left_out(row):
                continue
            for kind, name in (("methods", row.method), ("metrics", row.metric)):
                self._known(name, self.papers[paper][kind], f"a row of {source} for {paper}.{kind}")
            if (row.method, row.metric) in found:
                raise ConfigError(f"{where}: {source} has {row.metric} of {row.method} twice: narrow it down")
            found[row.method, row.metric] = row
        if not found:
            raise ConfigError(f"{where}: {source} has no row for {scenario}: take it out, or correct the entry")
        return found

    def _cell(self, paper: str, scenario: str, rows: list[PublishedRow]) -> PublishedCell:
        """The cell of a published method and metric: the first row counts, others are noted where they differ."""
        row, method = rows[0], self.papers[paper]["methods"][rows[0].method]
        ours = self._scenario(paper, scenario).get("methods", {}).get(row.method, method.get("method"))
        metric = self.papers[paper]["metrics"][row.metric]
        scale = 100.0 if metric.get("percent") else 1.0
        other = metric.get("exchangeable")
        notes = [method.get("note", "")]
        notes += [f"{r.value:g} in {r.table}, {r.source}" for r in rows[1:] if r.value != row.value]
        return PublishedCell(
            scenario=scenario,
            method=ours or row.method,
            metric=self._metric(paper, scenario, row.metric),
            value=row.value / scale,
            std=row.std / scale,
            source=f"{row.table}, {row.source}",
            published_as=row.method,
            note="; ".join(note for note in notes if note),
            status="" if ours else NOT_IMPLEMENTED,
            exchangeable=self._metric(paper, scenario, other) if other else "",
            differs=method.get("differs") or self._scenario(paper, scenario).get("differs", ""),
        )

    def _metric(self, paper: str, scenario: str, metric: str) -> str:
        """Our name of a published metric; those of samples end in the extractor that both used."""
        from recollect.tables.metric_info import SAMPLE_METRICS

        ours = self.papers[paper]["metrics"][metric]["metric"]
        extractor = self._scenario(paper, scenario).get("extractor")
        if ours in SAMPLE_METRICS and extractor is None:
            raise ConfigError(
                f"{paper}.scenarios.{scenario} in {self._where} has {metric}, but not with which features: add "
                "extractor"
            )
        return f"{ours}@{extractor}" if ours in SAMPLE_METRICS else str(ours)

    def _check_distinct(self, paper: str, scenario: str, cells: Sequence[PublishedCell]) -> None:
        seen: dict[tuple[str, str], str] = {}
        for cell in cells:
            first = seen.setdefault((cell.method, cell.metric), cell.published_as)
            if first != cell.published_as:
                raise ConfigError(
                    f"{paper}.methods in {self._where} compares {cell.method} with both {first!r} and "
                    f"{cell.published_as!r}, which {scenario} has numbers of: keep one"
                )
