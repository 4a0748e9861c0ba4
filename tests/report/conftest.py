"""A suite with published numbers, failures and three seeds, with run records, tables and figures."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recollect.steps.places import Places
from recollect.tables import build_table, write_table

ACC, FORGETTING = "avg_acc_unweighted", "forgetting_max"
BOX = '<rect width="90" height="60" fill="#06a"/>'
METHODS = {"naive": "Naive", "er": "ER", "derpp": "DER++", "broken": "Broken <b>&"}
SEEDS = [0, 1, 2]
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60">{BOX}</svg>'.encode()


def record(method, seed, scenario="split_digits"):
    return {
        "scenario": scenario, "method": method, "seed": seed, "status": "ok", "reason": "",
        "code_fingerprint": f"code-{method}", "split_sha256": f"split{seed}", "data_sha256": ["d" * 8],
        "config": {
            "engine": {"device": "auto", "threads": 1}, "method": {"id": method, "train": {"lr": 0.1}},
            "scenario": {"id": scenario, "datasets": ["digits"], "n_tasks": 5},
        },
        "git": {"commit": "c0ffee", "dirty": False}, "device": "cpu", "versions": {"torch": "2"},
        "wall_s": {"train": 10.0 + seed}, "carried_bytes": [8, 8, 8],
    }  # fmt: skip


@pytest.fixture
def suite():
    table = {
        "id": "accuracy", "title": "Split Digits: <main> & more", "scenarios": ["split_digits"],
        "methods": list(METHODS), "metrics": [ACC, FORGETTING], "reference": "naive", "note": "",
        "labels": METHODS, "agreement": {ACC: 0.03},
    }  # fmt: skip
    return {
        "suite": "small", "scenarios": ["split_digits"], "methods": list(METHODS), "seeds": SEEDS,
        "labels": METHODS, "confidence": 0.95, "n_resamples": 200, "tables": [table],
    }  # fmt: skip


@pytest.fixture
def collected():
    rng = np.random.default_rng(0)
    rows = []
    for method, base in (("naive", 0.2), ("er", 0.7), ("derpp", 0.8)):
        for seed in SEEDS:
            jitter = float(rng.normal(0, 0.01))
            facts = {
                ACC: base + jitter,
                FORGETTING: 0.9 - base - jitter,
                "wall_s": 10.0 + seed,
                "carried_bytes": 8.0,
            }
            rows += [("split_digits", method, seed, name, value, "ok", "") for name, value in facts.items()]
    rows += [("split_digits", "broken", seed, "", np.nan, "diverged", "at task 2, step 118") for seed in SEEDS]
    return pd.DataFrame(rows, columns=["scenario", "method", "seed", "metric", "value", "status", "reason"])


@pytest.fixture
def finished(tmp_path, suite, collected):
    """A results folder of the suite; `remake` writes table and collected frame again."""
    places = Places(tmp_path / "results")
    published = pd.DataFrame(
        [("split_digits", "er", ACC, 0.70, None, "X"), ("split_digits", "derpp", ACC, 0.5, None, "X")],
        columns=["scenario", "method", "metric", "value", "std", "source"],
    )

    def remake(frame):
        places.collected("small").parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(places.collected("small"), index=False)
        declared = {**suite["tables"][0], "expected": [("split_digits", m, k) for m in METHODS for k in SEEDS]}
        built = build_table(frame, declared, published=published, n_resamples=200)
        write_table(built, declared, places.tables("small"))

    remake(collected)
    for method in METHODS:
        for seed in SEEDS:
            path = places.run("split_digits", method, seed) / "run.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(record(method, seed)))
    places.figures("small").mkdir(parents=True)
    (places.figures("small") / "overview-split_digits-final.svg").write_bytes(SVG)
    return SimpleNamespace(places=places, suite=suite, remake=remake, collected=collected)
