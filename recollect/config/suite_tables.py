"""The tables of a suite: names they may use, published numbers they ask for, and what they leave to the suite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from recollect.config.published import Published
from recollect.config.schema import ConfigError, origin, suggestion
from recollect.config.suite_methods import methods_on

Config = Mapping[str, Any]


def is_left_out(table: Config, config: Config, scenarios: Collection[str]) -> bool:
    """Whether a table shows scenarios alone that there are (``scenarios``) and that this suite does not run.

    So it is when the command line takes away methods that had a scenario of their own.
    """
    wanted = table.get("scenarios", [])
    return bool(wanted) and all(name in scenarios and name not in config["scenarios"] for name in wanted)


def check_tables(config: Config, files: Sequence[Path], scenarios: Collection[str] = ()) -> None:
    """Check that tables have files of their own and name only what the suite runs.

    Args:
        config: the suite.
        files: where it was read from.
        scenarios: all there are; a table of those alone that the suite does not run is left out, see
            :func:`is_left_out`, unless no table were left.

    Raises:
        ConfigError: naming the table's key, the file and what is allowed.
    """
    from recollect.extractors import EXTRACTORS
    from recollect.tables.metric_info import METRICS, ROBUSTNESS_METRICS, sample_metrics

    samples = [f"{name}@{e.id}" for e in EXTRACTORS.values() for name in sample_metrics(e.measured)]
    judged = config["robustness"]["set"] if config.get("robustness") else None
    robustness = [f"{name}@{judged}" for name in ROBUSTNESS_METRICS if judged]
    metrics = [*METRICS, *samples, *robustness]
    known = {"scenarios": config["scenarios"], "methods": config["methods"], "metrics": metrics}
    ids = [table["id"] for table in config["tables"]]
    some_are_shown = any(not is_left_out(table, config, scenarios) for table in config["tables"])
    for i, table in enumerate(config["tables"]):
        if table["id"] in ids[:i]:
            where = origin(["tables", i, "id"], files)
            raise ConfigError(f"tables[{i}].id = {table['id']!r} in {where} is there twice: rename one")
        if some_are_shown and is_left_out(table, config, scenarios):
            continue
        for key, allowed in known.items():
            for j, value in enumerate(table.get(key, [])):
                if value not in allowed:
                    where = origin(["tables", i, key, j], files)
                    raise ConfigError(f"tables[{i}].{key} has {value!r} in {where}: {suggestion(value, allowed)}")
        _, methods = _shown(table, config)
        _check_pairs(i, table, config, files)
        if table.get("reference") not in (None, *methods):
            where = origin(["tables", i, "reference"], files)
            hint = suggestion(table["reference"], methods)
            raise ConfigError(f"tables[{i}].reference is {table['reference']!r} in {where}: {hint}")
        _check_agreement(i, table, files)


def _shown(table: Config, config: Config) -> tuple[list[str], list[str]]:
    """Scenarios and methods of a table; what it does not say is the suite's."""
    scenarios = table.get("scenarios", config["shared_scenarios"])
    return scenarios, table.get("methods", methods_on(config, scenarios))


def _check_pairs(i: int, table: Config, config: Config, files: Sequence[Path]) -> None:
    for scenario in _shown(table, config)[0]:
        for method in table.get("methods", []):
            if (scenario, method) not in config["pairs"]:
                where = origin(["tables", i], files)
                raise ConfigError(
                    f"tables[{i}] in {where} shows {method} on {scenario}, which the suite does not run: it runs "
                    f"{', '.join(methods_on(config, [scenario]))} there"
                )


def check_published(
    config: Config, files: Sequence[Path], published: Published, methods: Config, scenarios: Config
) -> None:
    """Check the published numbers that tables ask for.

    Args:
        config: the suite.
        files: where it was read from.
        published: all published numbers.
        methods, scenarios: all there are, by name.

    Raises:
        ConfigError: an unknown paper, or one without numbers for a table; a mapping that is wrong.
    """
    for i, table in enumerate(config["tables"]):
        if "published" not in table or is_left_out(table, config, scenarios):
            continue
        where = f"tables[{i}].published in {origin(['tables', i, 'published'], files)}"
        try:
            published.check(table["published"], methods, scenarios)
            for scenario in _shown(table, config)[0]:
                there = sorted({cell.metric for cell in published.cells(table["published"], scenario)})
                if not set(there) & set(table["metrics"]):
                    raise ConfigError(f"for {scenario} there is only {', '.join(there)}: add one to the metrics")
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None


def _check_agreement(i: int, table: Config, files: Sequence[Path]) -> None:
    where = f"tables[{i}].agreement in {origin(['tables', i, 'agreement'], files)}"
    if table.get("agreement") and "published" not in table:
        raise ConfigError(f"{where} means nothing without published numbers: add published")
    if "differs" in table and "published" not in table:
        where = f"tables[{i}].differs in {origin(['tables', i, 'differs'], files)}"
        raise ConfigError(f"{where} means nothing without published numbers: add published")
    metrics = [metric.partition("@")[0] for metric in table["metrics"]]
    for name in table.get("agreement", {}):
        if name not in metrics:
            raise ConfigError(f"{where} has {name!r}: {suggestion(name, metrics)}")


def complete_table(
    table: Config, config: Config, label: Callable[[str], str], makes: Callable[[str], str],
    published: Published | None,
) -> dict[str, Any]:  # fmt: skip
    """A table's declaration with the suite's scenarios, methods and labels.

    One with published numbers gets their hash, so that a change of them makes the table anew.

    Args:
        table: as it stands in the suite.
        config: the suite.
        label, makes: of a method.
        published: all published numbers.
    """
    wanted = table.get("makes")
    scenarios, shown = _shown(table, config)
    methods = [m for m in shown if wanted in (None, makes(m))]
    complete = {
        "reference": None,
        "note": "",
        **{key: value for key, value in table.items() if key != "makes"},
        "scenarios": scenarios,
        "methods": methods,
        "labels": {name: label(name) for name in methods},
    }
    if "published" in table and published is not None:
        complete["published_sha256"] = published.digest(table["published"], scenarios)
    return complete
