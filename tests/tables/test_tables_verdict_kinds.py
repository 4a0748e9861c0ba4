"""One hand-made case for every kind of verdict, through `verdict` and through a whole table."""

import math

import pandas as pd
import pytest

from recollect.tables import Reproduced, build_table, from_csv, metric_info, to_csv
from recollect.tables.verdict import (
    AGREES,
    BETTER,
    CANNOT_TELL,
    FAILED,
    KINDS,
    NOT_RUN,
    NOTHING_PUBLISHED,
    ORDERING_ONLY,
    WITHIN_TOLERANCE,
    WORSE,
    verdict,
)

FID, ACCURACY = metric_info("fid@lenet_mnist"), metric_info("avg_acc_unweighted")
NAN = math.nan


def kind(published, ours, info=ACCURACY, threshold=NAN, differs=""):
    return verdict(published, ours, info, threshold, differs).kind


@pytest.mark.parametrize(
    ("expected", "published", "ours", "threshold"),
    [
        (AGREES, 0.80, Reproduced(0.81, 0.79, 0.83, 3, 0.02), NAN),
        (AGREES, 0.80, Reproduced(0.81, 0.79, 0.83, 3, 0.02), 0.03),
        (WITHIN_TOLERANCE, 0.80, Reproduced(0.82, 0.81, 0.83, 3, 0.01), 0.03),
        (WITHIN_TOLERANCE, 0.80, Reproduced(0.82, NAN, NAN, 1), 0.03),
        (BETTER, 0.80, Reproduced(0.90, 0.88, 0.92, 3, 0.02), 0.03),
        (WORSE, 0.80, Reproduced(0.70, 0.68, 0.72, 3, 0.02), 0.03),
        (WORSE, 0.80, Reproduced(0.70, NAN, NAN, 1), 0.03),
        # No agreement for want of power: the interval holds the value because it is wide.
        (CANNOT_TELL, 0.80, Reproduced(0.90, 0.70, 1.00, 3, 0.2), 0.03),
        # One seed and no tolerance: nothing to judge with.
        (CANNOT_TELL, 0.80, Reproduced(0.90, NAN, NAN, 1), NAN),
        (CANNOT_TELL, 0.80, Reproduced(0.80, NAN, NAN, 1), NAN),
        (NOT_RUN, 0.80, Reproduced(NAN, NAN, NAN, 0), 0.03),
        (FAILED, 0.80, Reproduced(NAN, NAN, NAN, 0, missing=FAILED), 0.03),
        (NOTHING_PUBLISHED, NAN, Reproduced(0.9, 0.8, 0.95, 3, 0.1), 0.03),
        # A metric that is not defined for a method is no failure.
        (NOTHING_PUBLISHED, NAN, Reproduced(NAN, NAN, NAN, 0, missing=CANNOT_TELL), 0.03),
        (CANNOT_TELL, 0.8, Reproduced(NAN, NAN, NAN, 0, missing=CANNOT_TELL), 0.03),
        (FAILED, NAN, Reproduced(NAN, NAN, NAN, 0, missing=FAILED), 0.03),
    ],
)
def test_kind(expected, published, ours, threshold):
    assert kind(published, ours, threshold=threshold) == expected


def test_lower_is_better_for_distances():
    assert kind(20.0, Reproduced(30.0, 29.0, 31.0, 3, 1.0), FID, 0.1) == WORSE
    assert kind(20.0, Reproduced(10.0, 9.0, 11.0, 3, 1.0), FID, 0.1) == BETTER


def test_ordering_only_says_what_differs_and_agrees_with_nothing():
    found = verdict(20.0, Reproduced(20.0, 19.0, 21.0, 3, 1.0), FID, 0.5, "extractor")
    assert (found.kind, found.text, found.agrees) == (ORDERING_ONLY, "ordering only: extractor differs", False)


def test_equivalence_is_tested_against_the_stated_tolerance():
    # 0.80, 0.82, 0.84 against 0.82 +- 0.05: t = 0.05 sqrt(3) / 0.02, closed form with 2 degrees of freedom.
    found = verdict(0.82, Reproduced(0.82, 0.80, 0.84, 3, 0.02), ACCURACY, 0.05)
    t = 0.05 * math.sqrt(3) / 0.02
    assert found.p_tost == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)))
    # A share of the published value for other metrics: 20 +- 10 %, that is +- 2.
    found = verdict(20.0, Reproduced(21.0, 20.0, 22.0, 3, 1.0), FID, 0.1)
    t = 1.0 * math.sqrt(3)
    assert found.p_tost == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)))
    assert math.isnan(verdict(0.82, Reproduced(0.82, NAN, NAN, 1), ACCURACY, 0.05).p_tost)
    assert math.isnan(verdict(0.82, Reproduced(0.82, 0.8, 0.84, 3, 0.02), ACCURACY).p_tost)


def test_every_kind_in_a_table_and_through_csv():
    values = {"same": (0.80, 0.82, 0.84), "near": (0.801, 0.802, 0.803), "up": (0.91, 0.92, 0.93)}
    values |= {
        "down": (0.61, 0.62, 0.63),
        "wide": (0.60, 0.82, 0.98),
        "other": (0.8, 0.8, 0.8),
        "alone": (0.5,) * 3,
    }
    rows = [("s", m, k, "avg_acc_unweighted", v, "ok", "") for m, xs in values.items() for k, v in enumerate(xs)]
    rows += [("s", "broken", k, None, NAN, "diverged", "at task 2") for k in range(3)]
    published = {"same": 0.82, "near": 0.82, "up": 0.8, "down": 0.8, "wide": 0.85, "other": 0.3, "broken": 0.5}
    cells = [
        ("s", m, "avg_acc_unweighted", v, None, "x", "protocol" if m == "other" else "")
        for m, v in {**published, "absent": 0.4}.items()
    ]
    frame = build_table(
        pd.DataFrame(rows, columns=["scenario", "method", "seed", "metric", "value", "status", "reason"]),
        {
            "id": "t", "title": "T", "scenarios": ["s"], "methods": [*values, "broken", "absent"],
            "metrics": ["avg_acc_unweighted"], "agreement": {"avg_acc_unweighted": 0.03},
        },
        published=pd.DataFrame(
            cells, columns=["scenario", "method", "metric", "value", "std", "source", "differs"]
        ),
    )  # fmt: skip
    found = dict(zip(frame["method"], frame["verdict_kind"], strict=True))
    assert found == {
        "same": AGREES, "near": WITHIN_TOLERANCE, "up": BETTER, "down": WORSE, "wide": CANNOT_TELL,
        "other": ORDERING_ONLY, "alone": NOTHING_PUBLISHED, "broken": FAILED, "absent": NOT_RUN,
    }  # fmt: skip
    assert set(found.values()) == set(KINDS)
    again = from_csv(to_csv(frame))
    assert list(again["verdict_kind"]) == list(frame["verdict_kind"])
    assert list(again["differs"]) == list(frame["differs"])
