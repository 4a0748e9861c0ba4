"""Which files jobs read, and which the suite makes in the end."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from recollect.config.claims import CLAIMS_FOLDER
from recollect.extractors import get_extractor_spec
from recollect.multimodal.registry import get_tower_spec, never_trained
from recollect.plan.declared import Declared
from recollect.robustness.sets import KINDS, get_set
from recollect.steps.report_files import report_files
from recollect.steps.suite_figures import figure_files
from recollect.steps.suite_pictures import PictureGroup, picture_groups
from recollect.tables.write import table_paths


class InputsAndTargets(Declared):
    """Paths, as text."""

    def data_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a scenario."""
        datasets = self._scenario(wildcards.scenario)["datasets"]
        return [str(self._places.data(dataset) / "dataset.json") for dataset in datasets]

    def split_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a scenario, and its domains where clusters make them."""
        clustered = "domains" in self._scenario(wildcards.scenario)
        more = [str(self._places.domains(wildcards.scenario))] if clustered else []
        return [*self.data_inputs(wildcards), *more]

    def domain_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a scenario whose domains are clusters, and the transformer that sees them."""
        tower = self._scenario(wildcards.scenario)["domains"]["tower"]
        weights = [] if never_trained(get_tower_spec(tower)) else [self._places.backbone(tower) / "backbone.json"]
        return [*self.data_inputs(wildcards), *map(str, weights)]

    def evaluate_inputs(self, wildcards: Any) -> list[str]:
        """Run records and predictions of all seeds."""
        folders = [self._places.run(wildcards.scenario, wildcards.method, seed) for seed in self.seeds]
        return [str(folder / name) for folder in folders for name in ("run.json", "predictions.npz")]

    def extractor_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of an extractor that is trained here."""
        training = get_extractor_spec(wildcards.extractor).training
        return [] if training is None else [str(self._places.data(training.dataset) / "dataset.json")]

    def corruption_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a robustness set."""
        return [str(self._places.data(get_set(wildcards.robustness_set).dataset) / "dataset.json")]

    def corruption_lists(self, wildcards: Any) -> list[str]:
        """Lists of the corrupted images that the suite judges on."""
        return [str(self._places.corruptions(self.robustness_set, kind)) for kind in KINDS if self.robustness_set]

    def pretrain_inputs(self, wildcards: Any) -> list[str]:
        """Prepared data of a backbone that is trained here."""
        recipe = get_tower_spec(wildcards.backbone).pretraining
        return [] if recipe is None else [str(self._places.data(recipe.dataset) / "dataset.json")]

    def backbone_inputs(self, wildcards: Any) -> list[str]:
        """Records of the pre-trained backbones that a method uses."""
        names = self._backbones(wildcards.method, wildcards.scenario)
        return [str(self._places.backbone(name) / "backbone.json") for name in names]

    def reference_inputs(self, wildcards: Any) -> list[str]:
        """Reference features of a scenario, all seeds."""
        scenario = self._scenario(wildcards.scenario)
        extractor = scenario["extractor"]
        return [str(self._places.features(scenario["id"], extractor, seed)) for seed in self.seeds]

    def evaluate_splits(self, wildcards: Any) -> list[str]:
        """Manifests of all seeds."""
        return [str(self._places.split(wildcards.scenario, seed)) for seed in self.seeds]

    @cached_property
    def collect_inputs(self) -> list[str]:
        """Metrics of every scenario and method."""
        return [str(self._places.metrics(s, m)) for s, m in self._suite.pairs]

    @cached_property
    def robustness_files(self) -> list[str]:
        """How the stored models of every scenario and classifier answer on corrupted images."""
        return [str(self._places.robustness(s, m)) for s, m in self._suite.pairs if m in self._judged]

    @property
    def collected(self) -> str:
        """The collected frame."""
        return str(self._places.collected(self.suite))

    @cached_property
    def table_files(self) -> list[str]:
        """Every table in every format."""
        folder = self._places.tables(self.suite)
        return [str(path) for table in self._suite.tables() for path in table_paths(table["id"], folder)]

    @property
    def table_pages(self) -> list[str]:
        """Those tables that a browser shows."""
        return [path for path in self.table_files if path.endswith(".html")]

    @property
    def table_sources(self) -> list[str]:
        """The others."""
        return [path for path in self.table_files if not path.endswith(".html")]

    @cached_property
    def figure_files(self) -> list[str]:
        """Every figure in every format."""
        return [str(path) for path in figure_files(self._summary, self._places.figures(self.suite))]

    @property
    def figure_images(self) -> list[str]:
        """Those figures that a browser shows."""
        return [path for path in self.figure_files if path.endswith(".png")]

    @property
    def figure_vectors(self) -> list[str]:
        """The others."""
        return [path for path in self.figure_files if not path.endswith(".png")]

    @cached_property
    def pictures(self) -> list[PictureGroup]:
        """The suite's methods by what can be drawn of them."""
        files = {name: self._suite.method_file(name) for name in self._suite.methods}
        generators = {name: files.pop(name) for name in self._generators}
        return picture_groups(self._places.figures(self.suite), generators, files)

    @cached_property
    def picture_files(self) -> list[str]:
        """Every picture in every format."""
        return [file for group in self.pictures for file in group.files(self._suite.pairs)]

    @cached_property
    def report_files(self) -> list[str]:
        """The page of the suite, and its results as data."""
        return [str(path) for path in report_files(self._places.report(self.suite))]

    @cached_property
    def claim_files(self) -> list[str]:
        """Declared claims; a change of them tests them anew."""
        return [str(path) for path in sorted(CLAIMS_FOLDER.glob("*.yaml"))]

    @property
    def tracked(self) -> str:
        """What the MLflow step writes when it is done."""
        return str(self._places.results / "track" / f"{self.suite}.json")
