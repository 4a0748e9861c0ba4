"""Where every step finds and leaves its files, below one results folder."""

from __future__ import annotations

from pathlib import Path


class Places:
    """Paths below ``results``; the one place that knows the layout.

    Args:
        results: the results folder, usually ``results``.
    """

    def __init__(self, results: str | Path = "results") -> None:
        self.results = Path(results)

    def data(self, dataset: str) -> Path:
        """Decoded arrays of a data set."""
        return self.results / "data" / dataset

    def split(self, scenario: str, seed: int | str) -> Path:
        """A split manifest."""
        return self.results / "splits" / scenario / f"seed{seed}.json"

    def domains(self, scenario: str) -> Path:
        """The domain of every sample, where clusters make the domains."""
        return self.results / "domains" / f"{scenario}.json"

    def run(self, scenario: str, method: str, seed: int | str) -> Path:
        """The folder of a run."""
        return self.results / "runs" / scenario / method / f"seed{seed}"

    def extractor(self, extractor: str) -> Path:
        """The folder with a feature extractor's weights and record."""
        return self.results / "extractors" / extractor

    def backbone(self, backbone: str) -> Path:
        """The folder with a pre-trained backbone's weights and record."""
        return self.results / "backbones" / backbone

    def features(self, scenario: str, extractor: str, seed: int | str) -> Path:
        """Reference features: those of the evaluation images of every task."""
        return self.results / "features" / scenario / extractor / f"seed{seed}.npz"

    def corruptions(self, name: str, kind: str) -> Path:
        """The list of the corrupted copies of a test set."""
        return self.results / "corruptions" / name / f"{kind}.json"

    def robustness(self, scenario: str, method: str) -> Path:
        """How the stored models of all seeds of a method answer on corrupted images."""
        return self.results / "robustness" / scenario / f"{method}.json"

    def metrics(self, scenario: str, method: str) -> Path:
        """Matrices and metrics of all seeds of a method."""
        return self.results / "metrics" / scenario / f"{method}.json"

    def collected(self, suite: str) -> Path:
        """The tidy frame of a suite."""
        return self.results / "collected" / f"{suite}.csv"

    def tables(self, suite: str) -> Path:
        """The folder of a suite's tables."""
        return self.results / "tables" / suite

    def figures(self, suite: str) -> Path:
        """The folder of a suite's figures."""
        return self.results / "figures" / suite

    def report(self, suite: str) -> Path:
        """The folder of a suite's page."""
        return self.results / "report" / suite
