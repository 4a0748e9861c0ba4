"""Subcommands that make runs and what is measured on them: from raw data to metrics and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recollect.cli.arguments import DATA, DEVICE, SCENARIO, SEEDS, THREADS, Commands, mapping
from recollect.robustness.sets import KINDS
from recollect.steps.suite_pictures import KINDS as PICTURES

if TYPE_CHECKING:
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


COMMANDS: Commands = {
    "fetch": (_fetch, "find or download a data set, verify it and decode it into arrays", {
        "dataset": {"help": "data set, e.g. mnist"}, **DATA,
    }),
    "domains": (_domains, "cluster a scenario's samples, as a frozen transformer sees them, into domains", {
        "--scenario": {
            "type": mapping("id", "datasets", "domains", "n_tasks"), "required": True,
            "help": "resolved scenario of the protocol clustered-domains as JSON, or @file",
        },
        "--device": DEVICE,
        "--threads": THREADS,
    }),
    "split": (_split, "write the split manifests of a scenario", {
        "--scenario": SCENARIO,
        "--seeds": SEEDS,
    }),
    "extractor": (_extractor, "find, download or train the feature extractor of generative metrics", {
        "extractor": {"help": "extractor, e.g. lenet_mnist"}, **DATA,
    }),
    "pretrain": (_pretrain, "train an embedded backbone, or find or download a published one", {
        "backbone": {"help": "backbone, e.g. vit_cifar50, or a ViT of timm, e.g. vit_base_patch16_224"}, **DATA,
        "--save-every": {
            "type": float, "default": 120.0, "metavar": "S", "help": "seconds between saved states of training",
        },
    }),
    "reference": (_reference, "compute the features of every task's evaluation images", {
        "--scenario": SCENARIO,
        "--extractor": {"required": True, "help": "extractor, e.g. lenet_mnist"},
        "--seeds": SEEDS,
        "--device": {"default": "cpu", "help": "auto, cpu, cuda or cuda:<number> (default: %(default)s)"},
        "--threads": {"type": int, "default": 1, "help": "CPU threads; sums depend on it (default: %(default)s)"},
    }),
    "train": (_train, "train a method on a scenario, one run per seed; continues what was interrupted", {
        "--spec": {
            "type": mapping("scenario", "method", "engine", "code"), "required": True,
            "help": "resolved run specification as JSON, or @file",
        },
        "--seeds": SEEDS,
        "--save-every": {
            "type": float, "default": 300.0, "metavar": "S", "help": "seconds between saved states within a task",
        },
    }),
    "evaluate": (_evaluate, "turn stored predictions into matrices and metrics", {
        "scenario": {"help": "scenario id"},
        "method": {"help": "method id"},
        "--seeds": SEEDS,
    }),
    "evaluate-samples": (_evaluate_samples, "sample the snapshots of a generator and compare with real images", {
        "method": {"help": "method id"},
        "--scenario": {
            "type": mapping("id", "extractor"), "required": True,
            "help": "resolved scenario with its extractor as JSON, or @file",
        },
        "--seeds": SEEDS,
        "--device": DEVICE,
        "--threads": THREADS,
    }),
    "corruptions": (_corruptions, "list the corrupted copies of a test set, made here where none are official", {
        "set": {"help": "robustness set, e.g. cifar100"},
        "--kind": {"choices": KINDS, "default": KINDS[0], "help": "%(choices)s (default: %(default)s)"},
        "--data-dir": DATA["--data-dir"],
    }),
    "robustness": (_robustness, "let stored models of finished runs answer on corrupted test images", {
        "method": {"help": "method id"},
        "--scenario": {"type": mapping("id"), "required": True, "help": "scenario as JSON, or @file"},
        "--seeds": SEEDS,
        "--set": {"required": True, "help": "robustness set, e.g. cifar100"},
        "--data-dir": DATA["--data-dir"],
        "--device": DEVICE,
        "--threads": THREADS,
    }),
    "pictures": (_pictures, "draw samples, reconstructions and latents of a generator's first finished run", {
        "method": {"help": "method id"},
        "--scenario": {"type": mapping("id"), "required": True, "help": "scenario as JSON, or @file"},
        "--seeds": SEEDS,
        "--folder": {"type": Path, "default": Path("pictures"), "help": "of the pictures (default: %(default)s)"},
        "--kinds": {
            "nargs": "+", "choices": PICTURES, "default": [PICTURES[0]],
            "help": "%(choices)s; the last two need an encoder (default: samples)",
        },
        "--label": {"help": "how titles call the method (default: its id)"},
        "--device": DEVICE,
        "--threads": THREADS,
    }),
}  # fmt: skip
