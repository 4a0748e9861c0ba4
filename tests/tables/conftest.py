"""A small suite with every kind of cell in it."""

import pandas as pd
import pytest

COLUMNS = ["scenario", "method", "seed", "metric", "value", "status", "reason"]


def run_rows(method, values, metric="avg_acc_unweighted", scenario="digits"):
    return [(scenario, method, seed, metric, value, "ok", "") for seed, value in values.items()]


def bad_row(method, seed, status, reason, scenario="digits"):
    return (scenario, method, seed, None, float("nan"), status, reason)


@pytest.fixture
def collected():
    naive = {0: 0.20, 1: 0.22, 2: 0.18, 3: 0.21, 4: 0.19}
    rows = run_rows("naive", naive)
    rows += run_rows("derpp", {0: 0.85, 1: 0.91, 2: 0.88, 3: 0.87, 4: 0.89})
    rows += run_rows("lwf", {0: 0.30, 1: 0.26, 2: 0.31, 4: 0.27})
    rows += [bad_row("lwf", 3, "diverged", "at task 2, step 118")]
    rows += [bad_row("ewc", seed, "failed", "out of memory") for seed in range(5)]
    rows += run_rows("joint", {0: 0.97})
    rows += run_rows("naive", {seed: 0.7 + seed / 100 for seed in range(5)}, "forgetting_max")
    rows += run_rows("derpp", dict.fromkeys(range(5), 0.1), "forgetting_max")
    rows += run_rows("lwf", {seed: 0.5 + seed / 50 for seed in (0, 1, 2, 4)}, "forgetting_max")
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def declaration():
    methods = ["naive", "joint", "derpp", "lwf", "ewc", "gr"]
    return {
        "id": "digits_main",
        "title": "Digits, 5 tasks: 100% of <all> & more",
        "scenarios": ["digits"],
        "methods": methods,
        "metrics": ["avg_acc_unweighted", "forgetting_max"],
        "reference": "naive",
        "note": "A note.",
        "labels": {"derpp": "DER++", "lwf": "LwF_{a|b}*", "naive": "Naive"},
        "expected": [("digits", m, s) for m in methods for s in ((0,) if m == "joint" else range(5))],
    }


@pytest.fixture
def published():
    rows = [
        ("digits", "derpp", "avg_acc_unweighted", 0.88, 0.01, "Buzzega et al. 2020, Table 2"),
        ("digits", "naive", "avg_acc_unweighted", 0.30, None, "Buzzega et al. 2020, Table 2"),
        ("digits", "lwf", "avg_acc_unweighted", 0.10, None, "somebody"),
        ("digits", "joint", "avg_acc_unweighted", 0.97, None, "somebody"),
        ("digits", "gr", "avg_acc_unweighted", 0.50, None, "somebody"),
        ("elsewhere", "gr", "fid", 30.0, None, "rows of other tables do no harm"),
    ]
    return pd.DataFrame(rows, columns=["scenario", "method", "metric", "value", "std", "source"])
