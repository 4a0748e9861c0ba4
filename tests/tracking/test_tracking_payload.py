"""What of a run goes to MLflow, without MLflow."""

import pandas as pd
import pytest

from recollect.errors import RecollectError
from recollect.tracking.payload import payloads


def record(**changes):
    return {
        "scenario": "digits",
        "method": "ewc",
        "seed": 0,
        "status": "ok",
        "reason": "",
        "config": {
            "method": {"hyper": {"lambda": 0.5, "odd key!": None}, "train": {"epochs": 3}},
            "list": [1, 2],
        },
        "code_fingerprint": "abc",
        "git": {"commit": "0123", "dirty": False},
        "wall_s": {"train": 1.5},
        "carried_bytes": [10, 20],
        "vram_mb": 0.0,
        "R": [[0.9, None], [0.5, 0.7]],
    } | changes


def metrics(value=0.6):
    rows = [
        ("digits", "ewc", 0, "avg_acc_unweighted", value, "ok", ""),
        ("digits", "x", 0, None, None, "failed", ""),
    ]
    return pd.DataFrame(rows, columns=["scenario", "method", "seed", "metric", "value", "status", "reason"])


def test_one_run_by_hand():
    (payload,) = payloads([record()], metrics())
    assert payload.cell == "digits/ewc/seed0"
    assert payload.run_key.startswith("digits/ewc/seed0@")
    assert payload.params == {
        "method.hyper.lambda": "0.5",
        "method.hyper.odd key_": "null",
        "method.train.epochs": "3",
        "list": "[1,2]",
        "scenario": "digits",
        "method": "ewc",
        "seed": "0",
    }
    assert {tuple(point) for point in payload.points} == {
        ("wall_s/train", 1.5, 0),
        ("carried_bytes", 10.0, 1),
        ("carried_bytes", 20.0, 2),
        ("vram_mb", 0.0, 0),
        ("accuracy/task001", 0.9, 1),
        ("accuracy/task001", 0.5, 2),
        ("accuracy/task002", 0.7, 2),
        ("accuracy/seen", 0.9, 1),
        ("accuracy/seen", 0.6, 2),
        ("avg_acc_unweighted", 0.6, 0),
    }
    assert payload.tags["recollect.git.commit"] == "0123"
    assert payload.tags["recollect.git.dirty"] == "False"
    assert payload.tags["recollect.status"] == "ok"
    assert "recollect.reason" not in payload.tags


def test_digest_follows_record_and_metrics_but_not_key_order():
    (first,) = payloads([record()], metrics())
    (reordered,) = payloads([dict(reversed(record().items()))], metrics())
    (other_metric,) = payloads([record()], metrics(0.61))
    (other_record,) = payloads([record(code_fingerprint="abd")], metrics())
    assert first.digest == reordered.digest
    assert len({first.digest, other_metric.digest, other_record.digest}) == 3


def test_long_values_are_cut_and_nan_is_no_metric():
    (payload,) = payloads([record(config={"x": "y" * 9000}, it_per_s=float("nan"))], None)
    assert len(payload.params["x"]) <= 6000
    assert payload.params["x"].endswith("(cut to 6000)")
    assert "it_per_s" not in {point.key for point in payload.points}


def test_bad_records_are_named():
    with pytest.raises(RecollectError, match="run record 1 lacks method, status"):
        payloads([record(), {"scenario": "a", "seed": 0}], None)
    with pytest.raises(RecollectError, match="digits/ewc/seed0 is there twice"):
        payloads([record(), record()], None)
    with pytest.raises(RecollectError, match=r"lacks the column\(s\) value"):
        payloads([record()], metrics().drop(columns="value"))
