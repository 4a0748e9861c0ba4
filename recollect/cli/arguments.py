"""Arguments that subcommands share, and how they are read."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Commands = dict[str, tuple[Callable[[argparse.Namespace], None], str, dict[str, dict[str, Any]]]]
"""Name -> what runs, one line about it, its arguments with their options."""


def config_entry(text: str) -> tuple[str, Any]:
    """An argument key=value, whose value is YAML."""
    import yaml

    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"has {text!r}: write key=value, as for snakemake")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"has {text!r}, whose value is no YAML") from None


def mapping(*keys: str) -> Callable[[str], dict[str, Any]]:
    """An argument that is a JSON object with ``keys``, or @file with one."""

    def parse(text: str) -> dict[str, Any]:
        try:
            value = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
        except (OSError, ValueError) as error:
            raise argparse.ArgumentTypeError(f"is not JSON, nor @file with JSON: {error}") from None
        missing = [key for key in keys if not isinstance(value, dict) or key not in value]
        if missing:
            raise argparse.ArgumentTypeError(
                f"must be a JSON object with {', '.join(keys)}; missing: {', '.join(missing)}"
            )
        return value

    return parse


SUITE_KEYS = ("suite", "scenarios", "methods", "seeds", "tables", "labels", "confidence", "n_resamples")
SEEDS: dict[str, Any] = {"type": int, "nargs": "+", "required": True, "help": "seeds, e.g. 0 1 2"}
SUITE: dict[str, Any] = {
    "type": mapping(*SUITE_KEYS), "required": True, "help": "resolved suite as JSON, or @file",
}  # fmt: skip
SCENARIO: dict[str, Any] = {
    "type": mapping("id", "datasets", "protocol"), "required": True,
    "help": "resolved scenario as JSON, or @file",
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "--configfile": {"type": Path, "nargs": "*", "default": [], "help": "suite files, as for snakemake"},
    "--config": {
        "type": config_entry, "nargs": "*", "default": [], "metavar": "KEY=VALUE",
        "help": "settings that override those of the files, as for snakemake",
    },
}  # fmt: skip
DATA: dict[str, dict[str, Any]] = {
    "--data-dir": {
        "default": os.environ.get("RECOLLECT_DATA") or "data",
        "help": "where official files lie or go",
    },
    "--offline": {"action": "store_true", "help": "never try to download"},
}
DEVICE: dict[str, Any] = {"default": "cpu", "help": "cpu, cuda or auto (default: %(default)s)"}
THREADS: dict[str, Any] = {"type": int, "default": 1, "help": "processor threads (default: %(default)s)"}
