"""Subcommands about whole suites and their results: plans, tables, figures, pages, comparisons."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recollect.cli.arguments import SETTINGS, SUITE, Commands

if TYPE_CHECKING:
    from recollect.config.suite import Suite


def _collect(a: argparse.Namespace) -> None:
    from recollect.steps.collect import collect
    from recollect.steps.places import Places

    collect(a.suite, Places(a.results))


def _tables(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.tables import make_tables

    make_tables(a.suite, Places(a.results))


def _figures(a: argparse.Namespace) -> None:
    from recollect.steps.figures import make_figures
    from recollect.steps.places import Places

    make_figures(a.suite, Places(a.results))


def _report(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.report import report

    for path in report(a.suite, Places(a.results), a.command):
        sys.stderr.write(f"{path}\n")


def _kept_report(a: argparse.Namespace) -> None:
    from recollect.steps.kept_report import kept_report
    from recollect.steps.places import Places

    for path in kept_report(a.folder, a.target or Places(a.results).report("reproduced")):
        sys.stdout.write(f"{path}\n")


def _diff(a: argparse.Namespace) -> None:
    from recollect.steps.diff import diff

    diff(a.a, a.b, sys.stdout, everything=a.all)


def _partial(a: argparse.Namespace) -> None:
    from recollect.steps.collect import collect
    from recollect.steps.places import Places
    from recollect.steps.tables import make_tables, show

    suite = {**a.suite, "suite": f"{a.suite['suite']}_partial"}
    collect(suite, Places(a.results), partial=True)
    make_tables(suite, Places(a.results))
    show(Places(a.results).tables(suite["suite"]), sys.stdout)


def _check(a: argparse.Namespace) -> None:
    from recollect.steps.check import check

    check(a.collected)


def _track(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.track import track

    track(a.suite, Places(a.results), a.uri, a.receipt)


def _show(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.tables import show

    show(Places(a.results).tables(a.suite), sys.stdout)


def _keep(a: argparse.Namespace) -> None:
    from recollect.steps.keep import keep
    from recollect.steps.places import Places

    for path in keep(a.suite, Places(a.results), a.target / a.suite, a.made_by):
        sys.stdout.write(f"{path}\n")


def _ui(a: argparse.Namespace) -> None:
    from recollect.tracking import ui_command

    command = ui_command(a.uri, a.port)
    sys.stderr.write(f"MLflow on http://127.0.0.1:{a.port}, stop with Ctrl-C\n")
    os.execv(command[0], command)


def _suite(a: argparse.Namespace) -> Suite:
    from recollect.config.schema import read_yaml
    from recollect.config.suite import Suite
    from recollect.layout import ROOT

    files = [ROOT / "config" / "default.yaml", *a.configfile]
    settings = {key: value for path in files for key, value in read_yaml(path).items()}
    return Suite.load(settings | dict(a.config), files)


def _plan(a: argparse.Namespace) -> None:
    from recollect.estimates import lines, summary
    from recollect.steps.places import Places

    suite = _suite(a)
    config = suite.config
    found = lines(Places(a.results), suite.pairs, suite.seed_batches(), config.get("runtime_minutes", 120))
    sys.stdout.write(summary(found, suite.tables(), a.price))
    gpus = config.get("gres_per_job") or f"{config.get('gpus_per_job', 0)} GPU"
    sys.stdout.write(
        f"a training job asks a scheduler for its minutes, {config.get('mem_mb', 4000)} MB, "
        f"{config['threads_per_job']} thread and {gpus}; tried again, for twice the minutes and memory\n"
    )


def _select(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.select import parse_grid, select

    suite = _suite(a)
    for chosen, mean, std in select(suite, a.scenario, a.method, parse_grid(a.grid), a.seeds, Places(a.results)):
        sys.stdout.write(f"{mean:.4f} +- {std:.4f}  {json.dumps(chosen)}\n")
        sys.stdout.flush()


COMMANDS: Commands = {
    "collect": (_collect, "gather a suite's metrics in one tidy CSV file", {"--suite": SUITE}),
    "partial": (_partial, "tabulate what has finished so far and say what is missing", {"--suite": SUITE}),
    "tables": (_tables, "write a suite's tables as CSV, Markdown, LaTeX, HTML and text", {"--suite": SUITE}),
    "figures": (_figures, "draw a suite's figures", {"--suite": SUITE}),
    "report": (_report, "write the page of a suite: tables, verdicts, claims, statistics, figures, runs", {
        "--suite": SUITE,
        "--command": {"default": "", "help": "the command that makes the suite, shown to readers"},
    }),
    "kept-report": (_kept_report, "write the page of all committed results", {
        "--folder": {
            "type": Path, "default": Path("results/reproduced"),
            "help": "committed results (default: %(default)s)",
        },
        "--target": {"type": Path, "help": "folder of the page (default: report/reproduced below the results)"},
    }),
    "diff": (_diff, "compare two result sets cell by cell and say what changed beyond noise", {
        "a": {"type": Path, "metavar": "A", "help": "results folder, folder of tables or report, CSV or Parquet"},
        "b": {"type": Path, "metavar": "B", "help": "the other one, in any of these forms"},
        "--all": {"action": "store_true", "help": "list also cells without a change, and costs"},
    }),
    "check": (_check, "fail with one sentence if a run of a collected suite diverged or is missing", {
        "collected": {"type": Path, "help": "collected CSV file"},
    }),
    "track": (_track, "write a suite's runs into the MLflow store", {
        "--suite": SUITE,
        "--uri": {"required": True, "help": "sqlite:///file or http://server"},
        "--receipt": {"type": Path, "required": True, "help": "file that is written when all is stored"},
    }),
    "keep": (_keep, "copy a finished suite's tables and their provenance to where results are committed", {
        "suite": {"help": "suite name"},
        "--made-by": {"required": True, "help": "the command that made them, for the record"},
        "--target": {"type": Path, "default": Path("results/reproduced"), "help": "folder (default: %(default)s)"},
    }),
    "ui": (_ui, "browse the runs in MLflow, on this machine only", {
        "--uri": {"default": "sqlite:///results/mlflow.db", "help": "the store (default: %(default)s)"},
        "--port": {"type": int, "default": 5000, "help": "port on 127.0.0.1 (default: %(default)s)"},
    }),
    "select": (_select, "compare hyper-parameters on validation data; test data are not touched", {
        "scenario": {"help": "scenario id"},
        "method": {"help": "method id"},
        "--grid": {"nargs": "+", "required": True, "metavar": "NAME=V,V", "help": "values, e.g. lr=0.1,0.03"},
        "--seeds": {"type": int, "nargs": "+", "default": [100, 101, 102], "help": "seeds no report uses"},
        **SETTINGS,
    }),
    "plan": (_plan, "say what a suite will cost before it is started: runs, hours, memory, disk", {
        **SETTINGS,
        "--price": {"type": float, "help": "of an hour, in any currency, to show totals in it"},
    }),
    "show": (_show, "print a suite's tables and say where they lie", {"suite": {"help": "suite name"}}),
}  # fmt: skip
