"""Which methods a suite runs on which scenarios.

``methods`` is a list of names, which run on every one of ``scenarios``, and of entries ``{scenario: [names]}``,
which run on that scenario alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recollect.config.schema import ConfigError, origin

Pair = tuple[str, str]


def spread(config: dict[str, Any], files: Sequence[Path]) -> dict[str, Any]:
    """The suite with plain names as ``methods`` and with ``pairs``, which say what runs where.

    ``scenarios`` and ``methods`` then list all there are, each once, in the order of their first mention;
    ``shared_scenarios`` are those that a table shows if it does not say.

    Raises:
        ConfigError: a method is asked for twice on a scenario.
    """
    scenarios: list[str] = list(config["scenarios"])
    pairs: list[Pair] = []
    for j, entry in enumerate(config["methods"]):
        wanted = entry if isinstance(entry, dict) else {key: [entry] for key in config["scenarios"]}
        for scenario, names in wanted.items():
            scenarios += [scenario] if scenario not in scenarios else []
            for name in names:
                if (scenario, name) in pairs:
                    where = origin(["methods", j], files)
                    raise ConfigError(f"methods in {where} has {name!r} on {scenario} twice: drop one")
                pairs.append((scenario, name))
    by_scenario = [pair for scenario in scenarios for pair in pairs if pair[0] == scenario]
    return {
        **config,
        "scenarios": scenarios,
        "methods": list(dict.fromkeys(name for _, name in pairs)),
        "shared_scenarios": list(config["scenarios"]),
        "pairs": by_scenario,
    }


def methods_on(config: Mapping[str, Any], scenarios: Sequence[str]) -> list[str]:
    """The methods that run on all of some scenarios, in the suite's order: the rows of a table without its own."""
    return [m for m in config["methods"] if all((s, m) in config["pairs"] for s in scenarios)]
