"""The command line: one subcommand per step of the workflow.

Snakemake calls these; they can be called by hand as well: ``python -m recollect <step> --help``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from recollect.errors import RecollectError
from recollect.gpu_slots import VISIBLE, hold
from recollect.robustness.sets import KINDS
from recollect.steps.suite_pictures import KINDS as PICTURES

if TYPE_CHECKING:
    from recollect.config.suite import Suite
    from recollect.steps.places import Places


def _data_dir(a: argparse.Namespace) -> Path:
    if a.data_dir == "data":  # the default place is ours to make; one that was named must exist
        Path(a.data_dir).mkdir(exist_ok=True)
    return Path(a.data_dir)


def _fetch(a: argparse.Namespace) -> None:
    from recollect.datasets import prepare
    from recollect.steps.places import Places

    prepare(a.dataset, _data_dir(a), Places(a.results).data(a.dataset), offline=a.offline)


def _checked(places: Places, datasets: Sequence[str]) -> Places:
    """A results folder whose prepared data sets have been compared with their hashes."""
    from recollect.datasets import check_intact

    for dataset in datasets:
        check_intact(places.data(dataset))
    return places


def _split(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.split import split

    split(a.scenario, a.seeds, _checked(Places(a.results), a.scenario["datasets"]))


def _domains(a: argparse.Namespace) -> None:
    from recollect.steps.domains import make_domains
    from recollect.steps.places import Places

    make_domains(
        a.scenario, _checked(Places(a.results), a.scenario["datasets"]), device=a.device, threads=a.threads
    )


def _extractor(a: argparse.Namespace) -> None:
    from recollect.extractors import get_extractor_spec
    from recollect.steps.extractor import make_extractor
    from recollect.steps.places import Places

    training = get_extractor_spec(a.extractor).training
    places = _checked(Places(a.results), [training.dataset] if training else [])
    make_extractor(a.extractor, places, _data_dir(a), offline=a.offline)


def _pretrain(a: argparse.Namespace) -> None:
    from recollect.pretrained.registry import get_backbone_spec
    from recollect.steps.places import Places
    from recollect.steps.pretrain import pretrain

    recipe = get_backbone_spec(a.backbone).pretraining
    places = _checked(Places(a.results), [recipe.dataset] if recipe else [])
    record = pretrain(a.backbone, places, _data_dir(a), offline=a.offline, save_every_s=a.save_every)
    sys.stderr.write(f"backbone {a.backbone}: {record['how']}, sha256 {record['sha256'][:16]}\n")


def _reference(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.reference import reference

    places = _checked(Places(a.results), a.scenario["datasets"])
    reference(a.scenario, a.extractor, a.seeds, places, device=a.device, threads=a.threads)


def _train(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.train import train

    spec = a.spec
    places = _checked(Places(a.results), spec["scenario"]["datasets"])
    method = spec["method"]
    if "backbone" in method.get("hyper", {}) or method.get("train", {}).get("mm_towers"):
        from recollect.steps.pretrain import with_weights

        spec = with_weights(spec, places)
    train(spec, a.seeds, places, save_every_s=a.save_every)


def _evaluate(a: argparse.Namespace) -> None:
    from recollect.steps.evaluate import evaluate
    from recollect.steps.places import Places

    evaluate(a.scenario, a.method, a.seeds, Places(a.results))


def _evaluate_samples(a: argparse.Namespace) -> None:
    from recollect.steps.evaluate_samples import evaluate_samples
    from recollect.steps.places import Places

    evaluate_samples(a.scenario, a.method, a.seeds, Places(a.results), device=a.device, threads=a.threads)


def _corruptions(a: argparse.Namespace) -> None:
    from recollect.steps.corruptions import make_corruptions
    from recollect.steps.places import Places

    make_corruptions(a.set, a.kind, Places(a.results), _data_dir(a))


def _robustness(a: argparse.Namespace) -> None:
    from recollect.steps.places import Places
    from recollect.steps.robustness import robustness

    robustness(
        a.scenario, a.method, a.seeds, a.set, Places(a.results), _data_dir(a), device=a.device, threads=a.threads
    )


def _pictures(a: argparse.Namespace) -> None:
    from recollect.steps.pictures import pictures
    from recollect.steps.places import Places

    pictures(
        a.scenario["id"], a.method, a.seeds, Places(a.results), folder=a.folder, kinds=a.kinds, label=a.label,
        device=a.device, threads=a.threads,
    )  # fmt: skip


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


def _config_entry(text: str) -> tuple[str, Any]:
    import yaml

    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"has {text!r}: write key=value, as for snakemake")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"has {text!r}, whose value is no YAML") from None


def _mapping(*keys: str) -> Callable[[str], dict[str, Any]]:
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


_SUITE_KEYS = ("suite", "scenarios", "methods", "seeds", "tables", "labels", "confidence", "n_resamples")
_SEEDS: dict[str, Any] = {"type": int, "nargs": "+", "required": True, "help": "seeds, e.g. 0 1 2"}
_SUITE: dict[str, Any] = {
    "type": _mapping(*_SUITE_KEYS), "required": True, "help": "resolved suite as JSON, or @file",
}  # fmt: skip
_SCENARIO: dict[str, Any] = {
    "type": _mapping("id", "datasets", "protocol"), "required": True,
    "help": "resolved scenario as JSON, or @file",
}  # fmt: skip
_SETTINGS: dict[str, dict[str, Any]] = {
    "--configfile": {"type": Path, "nargs": "*", "default": [], "help": "suite files, as for snakemake"},
    "--config": {
        "type": _config_entry, "nargs": "*", "default": [], "metavar": "KEY=VALUE",
        "help": "settings that override those of the files, as for snakemake",
    },
}  # fmt: skip
_DATA: dict[str, dict[str, Any]] = {
    "--data-dir": {
        "default": os.environ.get("RECOLLECT_DATA") or "data",
        "help": "where official files lie or go",
    },
    "--offline": {"action": "store_true", "help": "never try to download"},
}

COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], str, dict[str, dict[str, Any]]]] = {
    "fetch": (_fetch, "find or download a data set, verify it and decode it into arrays", {
        "dataset": {"help": "data set, e.g. mnist"}, **_DATA,
    }),
    "domains": (_domains, "cluster a scenario's samples, as a frozen transformer sees them, into domains", {
        "--scenario": {
            "type": _mapping("id", "datasets", "domains", "n_tasks"), "required": True,
            "help": "resolved scenario of the protocol clustered-domains as JSON, or @file",
        },
        "--device": {"default": "cpu", "help": "cpu, cuda or auto (default: %(default)s)"},
        "--threads": {"type": int, "default": 1, "help": "processor threads (default: %(default)s)"},
    }),
    "split": (_split, "write the split manifests of a scenario", {
        "--scenario": _SCENARIO,
        "--seeds": _SEEDS,
    }),
    "extractor": (_extractor, "find, download or train the feature extractor of generative metrics", {
        "extractor": {"help": "extractor, e.g. lenet_mnist"}, **_DATA,
    }),
    "pretrain": (_pretrain, "train an embedded backbone, or find or download a published one", {
        "backbone": {"help": "backbone, e.g. vit_cifar50, or a ViT of timm, e.g. vit_base_patch16_224"}, **_DATA,
        "--save-every": {
            "type": float, "default": 120.0, "metavar": "S", "help": "seconds between saved states of training",
        },
    }),
    "reference": (_reference, "compute the features of every task's evaluation images", {
        "--scenario": _SCENARIO,
        "--extractor": {"required": True, "help": "extractor, e.g. lenet_mnist"},
        "--seeds": _SEEDS,
        "--device": {"default": "cpu", "help": "auto, cpu, cuda or cuda:<number> (default: %(default)s)"},
        "--threads": {"type": int, "default": 1, "help": "CPU threads; sums depend on it (default: %(default)s)"},
    }),
    "train": (_train, "train a method on a scenario, one run per seed; continues what was interrupted", {
        "--spec": {
            "type": _mapping("scenario", "method", "engine", "code"), "required": True,
            "help": "resolved run specification as JSON, or @file",
        },
        "--seeds": _SEEDS,
        "--save-every": {
            "type": float, "default": 300.0, "metavar": "S", "help": "seconds between saved states within a task",
        },
    }),
    "evaluate": (_evaluate, "turn stored predictions into matrices and metrics", {
        "scenario": {"help": "scenario id"},
        "method": {"help": "method id"},
        "--seeds": _SEEDS,
    }),
    "evaluate-samples": (_evaluate_samples, "sample the snapshots of a generator and compare with real images", {
        "method": {"help": "method id"},
        "--scenario": {
            "type": _mapping("id", "extractor"), "required": True,
            "help": "resolved scenario with its extractor as JSON, or @file",
        },
        "--seeds": _SEEDS,
        "--device": {"default": "cpu", "help": "cpu, cuda or auto (default: %(default)s)"},
        "--threads": {"type": int, "default": 1, "help": "processor threads (default: %(default)s)"},
    }),
    "corruptions": (_corruptions, "list the corrupted copies of a test set, made here where none are official", {
        "set": {"help": "robustness set, e.g. cifar100"},
        "--kind": {"choices": KINDS, "default": KINDS[0], "help": "%(choices)s (default: %(default)s)"},
        "--data-dir": _DATA["--data-dir"],
    }),
    "robustness": (_robustness, "let stored models of finished runs answer on corrupted test images", {
        "method": {"help": "method id"},
        "--scenario": {"type": _mapping("id"), "required": True, "help": "scenario as JSON, or @file"},
        "--seeds": _SEEDS,
        "--set": {"required": True, "help": "robustness set, e.g. cifar100"},
        "--data-dir": _DATA["--data-dir"],
        "--device": {"default": "cpu", "help": "cpu, cuda or auto (default: %(default)s)"},
        "--threads": {"type": int, "default": 1, "help": "processor threads (default: %(default)s)"},
    }),
    "pictures": (_pictures, "draw samples, reconstructions and latents of a generator's first finished run", {
        "method": {"help": "method id"},
        "--scenario": {"type": _mapping("id"), "required": True, "help": "scenario as JSON, or @file"},
        "--seeds": _SEEDS,
        "--folder": {"type": Path, "default": Path("pictures"), "help": "of the pictures (default: %(default)s)"},
        "--kinds": {
            "nargs": "+", "choices": PICTURES, "default": [PICTURES[0]],
            "help": "%(choices)s; the last two need an encoder (default: samples)",
        },
        "--label": {"help": "how titles call the method (default: its id)"},
        "--device": {"default": "cpu", "help": "cpu, cuda or auto (default: %(default)s)"},
        "--threads": {"type": int, "default": 1, "help": "processor threads (default: %(default)s)"},
    }),
    "collect": (_collect, "gather a suite's metrics in one tidy CSV file", {"--suite": _SUITE}),
    "partial": (_partial, "tabulate what has finished so far and say what is missing", {"--suite": _SUITE}),
    "tables": (_tables, "write a suite's tables as CSV, Markdown, LaTeX, HTML and text", {"--suite": _SUITE}),
    "figures": (_figures, "draw a suite's figures", {"--suite": _SUITE}),
    "report": (_report, "write the page of a suite: tables, verdicts, claims, statistics, figures, runs", {
        "--suite": _SUITE,
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
        "--suite": _SUITE,
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
        **_SETTINGS,
    }),
    "plan": (_plan, "say what a suite will cost before it is started: runs, hours, memory, disk", {
        **_SETTINGS,
        "--price": {"type": float, "help": "of an hour, in any currency, to show totals in it"},
    }),
    "show": (_show, "print a suite's tables and say where they lie", {"suite": {"help": "suite name"}}),
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Bad arguments give one sentence and status 1, as all bad input does."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {' '.join(message.split())}: see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The argument parser of all subcommands."""
    top = _Parser(prog="recollect", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    steps = top.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (run, text, arguments) in COMMANDS.items():
        step = steps.add_parser(name, help=text, description=text, allow_abbrev=False)
        step.set_defaults(run=run)
        step.add_argument("--results", default="results", help="results folder (default: results)")
        for flag, options in arguments.items():
            step.add_argument(flag, **options)
    return top


@contextmanager
def _card(a: argparse.Namespace) -> Iterator[None]:
    """A slot of a card for steps that may use one, taken before they load torch."""
    engine = a.spec["engine"] if "spec" in a else vars(a)
    slot = hold(engine.get("device", "cpu") if isinstance(engine, dict) else "cpu", say=sys.stderr.write)
    if slot is None:
        yield
        return
    os.environ[VISIBLE] = slot.card
    with slot.lock:
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step; bad input gives one sentence on stderr and status 1."""
    parsed = parser().parse_args(arguments)
    try:
        with _card(parsed):
            parsed.run(parsed)
    except RecollectError as error:
        sys.stderr.write(f"recollect {parsed.step}: {error}\n")
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(
            f"recollect {parsed.step}: {error.filename}: {error.strerror}: correct the path or its permissions\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"recollect {parsed.step}: interrupted; the same command continues\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
