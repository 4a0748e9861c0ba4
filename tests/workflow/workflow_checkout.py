"""A copy of the repository in which Snakemake can be run and files can be edited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "environment.yml", "recollect", "methods", "baselines", "config", "profiles", "workflow")

SMALL = {
    "suite": "small",
    "scenarios": ["split_digits"],
    "methods": ["naive", "er"],
    "seeds": [0, 1],
    "seeds_per_job": 2,
    "overrides": {"naive": {"epochs": 1, "batch_size": 32}, "er": {"epochs": 1, "batch_size": 32}},
    "tables": [
        {
            "id": "accuracy",
            "title": "Small",
            "metrics": ["avg_acc_unweighted", "forgetting_max"],
            "reference": "naive",
        },
        {"id": "baseline", "title": "One method", "methods": ["naive"], "metrics": ["avg_acc_unweighted"]},
    ],
}


class Checkout:
    """A working copy and the results in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def configure(self, **changes: object) -> Path:
        path = self.root / "small.yaml"
        path.write_text(yaml.safe_dump({**SMALL, **changes}))
        return path

    def snakemake(
        self, *arguments: str, config: dict[str, object] | None = None
    ) -> subprocess.CompletedProcess[str]:
        self.configure(**(config or {}))
        environment = {k: v for k, v in os.environ.items() if k != "RECOLLECT_DATA"}
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "small.yaml"]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=600)

    def planned(self, config: dict[str, object] | None = None) -> dict[str, int]:
        """Rule -> number of jobs that a dry run would execute."""
        result = self.snakemake("-n", config=config)
        assert result.returncode == 0, result.stdout + result.stderr
        table = re.findall(r"^(\w[\w-]*) +(\d+)$", result.stdout + result.stderr, flags=re.MULTILINE)
        return {rule: int(count) for rule, count in table if rule not in ("total", "all")}

    def edit(self, path: str, before: str, after: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert before in text, f"{before!r} is not in {path}"
        file.write_text(text.replace(before, after))


def copy_of_repository(folder: Path) -> Checkout:
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return Checkout(folder)


def up_to_date(root: Path, *arguments: str) -> bool:
    """Whether Snakemake finds nothing to do: results are complete, and of the present settings and code."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", *arguments]
    plan = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=environment)
    return plan.returncode == 0 and "Nothing to be done" in plan.stdout + plan.stderr
