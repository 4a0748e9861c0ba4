"""Metrics of stored models beside those of their runs: mCE relative to a reference, remarks, foreign images."""

import json

import pytest

from recollect.errors import RecollectError
from recollect.steps.collect import collect
from recollect.steps.evaluate import evaluate

ERRORS = {"a": {"fog": [0.2, 0.4], "snow": [0.5, 0.5]}, "b": {"fog": [0.1, 0.1], "snow": [0.5, 0.5]}}


def write(places, method, seeds=(0, 1), made=("", "")):
    runs = [
        {
            "seed": seed, "status": "ok", "reason": "", "errors": ERRORS[method],
            "metrics": {"corruption_acc@toys": 0.6, "mce@toys": 0.4, "flip_rate@toys": 0.1,
                        "overall_robustness@toys": 0.5},
        }
        for seed in seeds
    ]  # fmt: skip
    sources = {
        kind: {"sha256": f"{kind}{remark}", "remark": remark}
        for kind, remark in zip(("corruptions", "perturbations"), made, strict=True)
    }
    path = places.robustness("little", method)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"method": method, "set": "toys", "runs": runs, "sources": sources}))


@pytest.fixture
def ready(places, made, suite):
    for method in ("a", "b"):
        for seed in (0, 1):
            made.run(method, seed)
        evaluate("little", method, [0, 1], places)
        write(places, method)
    return {**suite, "robustness": {"set": "toys", "methods": ["a", "b"]}}


def rows(places, suite, **options):
    collect(suite, places, **options)
    lines = places.collected(suite["suite"]).read_text().splitlines()[1:]
    parts = [line.split(",", 6) for line in lines]
    return {(p[1], int(p[2]), p[3]): (p[4], p[6]) for p in parts}


def test_metrics_stand_beside_those_of_the_run(places, ready):
    found = rows(places, ready)
    assert found["a", 0, "corruption_acc@toys"] == ("0.6", "")
    assert ("a", 0, "avg_acc_unweighted") in found
    value, remark = found["b", 1, "mce@toys"]
    assert (value, remark) == ("0.4", '"no reference model: the mean error, not normalised"')


def test_mce_is_relative_to_the_reference_of_the_same_seed(places, ready):
    found = rows(places, {**ready, "robustness": {**ready["robustness"], "reference": "b"}})
    value, remark = found["a", 0, "mce@toys"]
    assert float(value) == pytest.approx((0.6 / 0.2 + 1.0 / 1.0) / 2)
    assert remark == "relative to B with the same seed"
    assert float(found["b", 0, "mce@toys"][0]) == 1.0


def test_without_the_reference_of_a_seed_there_is_no_mce(places, ready):
    write(places, "b", seeds=(1,))
    found = rows(places, {**ready, "robustness": {**ready["robustness"], "reference": "b"}})
    assert ("a", 0, "mce@toys") not in found
    assert ("a", 1, "mce@toys") in found
    assert found["a", 0, "corruption_acc@toys"] == ("0.6", "")


def test_images_made_here_are_named_at_every_value(places, ready):
    for method in ("a", "b"):
        write(places, method, made=("C made", "P made"))
    found = rows(places, ready)
    assert found["a", 0, "corruption_acc@toys"][1] == "C made"
    assert found["a", 0, "flip_rate@toys"][1] == "P made"
    assert found["a", 0, "overall_robustness@toys"][1] == "C made; P made"
    assert found["a", 0, "mce@toys"][1].startswith('"C made; no reference')
    assert found["a", 0, "avg_acc_unweighted"][1] == ""


def test_models_judged_on_different_images_are_not_compared(places, ready):
    write(places, "b", made=("other", ""))
    with pytest.raises(RecollectError, match="little/b and little/a were judged on different corruptions"):
        rows(places, ready)


def test_missing_files(places, ready):
    places.robustness("little", "b").unlink()
    with pytest.raises(RecollectError, match="run the robustness step again"):
        rows(places, ready)
    found = rows(places, ready, partial=True)
    assert ("a", 0, "mce@toys") in found
    assert ("b", 0, "mce@toys") not in found
