"""Bytes each method carries after every task, on the default suite's data and settings."""

from __future__ import annotations

import tempfile
from pathlib import Path

from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.datasets import prepare
from recollect.layout import ROOT
from recollect.steps.places import Places
from recollect.steps.split import split
from recollect.steps.train import train

METHODS = ("naive", "ewc", "ewc_online", "lwf", "er", "der", "derpp", "generative_replay", "cope")


def measure() -> dict[str, list[int]]:
    """Method -> bytes after tasks 1 to 5 of Split Digits (one short epoch: contents differ, sizes do not)."""
    path = ROOT / "config" / "default.yaml"
    suite = Suite.load(read_yaml(path), [path])
    scenario = suite.scenario("split_digits")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        places = Places(folder)
        prepare("digits", None, places.data("digits"), progress=False)
        split(scenario, [0], places)
        for name in METHODS:
            method = suite.method(name, "split_digits")
            method["train"] |= {"epochs": 1, "iterations": None, "lr": 0.001}
            engine = {"device": "cpu", "threads": 1}
            spec = {"scenario": scenario, "method": method, "engine": engine, "code": "benchmark"}
            found[name] = train(spec, [0], places, streams=())[0]["carried_bytes"]
    return found


def data_bytes() -> int:
    """Bytes of the training images, for comparison."""
    with tempfile.TemporaryDirectory() as folder:
        prepare("digits", None, Path(folder), progress=False)
        return (Path(folder) / "train_x.npy").stat().st_size
