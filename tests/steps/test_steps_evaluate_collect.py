"""Split, evaluate, collect and check on a results folder small enough to work out by hand."""

import csv
import json

import pytest

from recollect.errors import RecollectError
from recollect.predictions import NOT_EVALUATED
from recollect.scenarios.manifest import make_manifest, read_manifest
from recollect.steps.check import check
from recollect.steps.collect import COLUMNS, collect
from recollect.steps.evaluate import costs, evaluate, evaluate_run, phase_costs, stream_labels
from recollect.steps.split import source, split
from recollect.steps.suite_pairs import expected


def refused(call, *args, **kwargs):
    with pytest.raises(RecollectError) as error:
        call(*args, **kwargs)
    text = str(error.value)
    assert "\n" not in text
    return text


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# Split ------------------------------------------------------------------------------------------------


def test_split_writes_one_manifest_per_seed(places, made):
    data = source(places, "toy")
    assert (data.name, data.sha256, data.n_classes, data.n_pixels) == ("toy", "toy-content", 4, 6)
    for seed in (0, 1, 2):
        assert read_manifest(places.split("little", seed)) == make_manifest(made.scenario, [data], seed)


def test_split_of_data_that_are_not_there(places, made):
    assert "prepare it first" in refused(split, {**made.scenario, "datasets": ["nothing"]}, [0], places)


# Evaluate ---------------------------------------------------------------------------------------------


def test_metrics_by_hand(places, made):
    made.run("a", 0)
    found = evaluate_run(places, "little", "a", 0)
    assert found["matrix"] == [[1.0, 0.0], [0.5, 1.0]]
    assert found["initial"] == [0.0, 0.0]
    assert found["test_sizes"] == [2, 2]
    assert found["metrics"] == pytest.approx(
        {
            "avg_acc_unweighted": 0.75,
            "avg_acc_weighted": 0.75,
            "avg_inc_acc_unweighted": 0.875,
            "avg_inc_acc_weighted": 0.875,
            "forgetting_max": 0.5,
            "forgetting_range": 0.0,
            "forgetting_initial": 0.5,
            "forgetting_chaudhry": 0.5,
            "bwt": -0.5,
        }
    )  # no forward transfer: outputs of unseen classes are closed
    assert found["validation"]["avg_acc_unweighted"] == pytest.approx(0.5)
    assert found["costs"] == {
        "wall_s": 1.5,
        "device_s": 0.5,
        "device_h": 0.5 / 3600,
        "evaluate_s": 9.0,
        "ram_mb": 10.0,
        "carried_bytes": 7.0,
        "parameters": 12.0,
        "it_per_s": 100.0,
    }


def test_labels_of_both_streams(places):
    manifest = read_manifest(places.split("little", 0))
    labels, sizes = stream_labels(places, manifest, "test")
    assert (labels.tolist(), sizes.tolist()) == ([1, 0, 3, 2], [2, 2])
    labels, sizes = stream_labels(places, manifest, "validation")
    assert (sorted(labels[:2]), sorted(labels[2:]), sizes.tolist()) == ([0, 1], [2, 3], [2, 2])


def test_forward_transfer_where_all_outputs_are_open(places, made):
    split({**made.scenario, "protocol": "data-incremental", "validation": 0.0}, [0], places)
    made.run("a", 0, test=[[0] * 8, [3, 1, 2, 0] * 2, [3, 1, 2, 0] * 2], validation=None)
    found = evaluate_run(places, "little", "a", 0)
    assert found["metrics"]["fwt"] == pytest.approx(1.0 - 0.25)
    assert found["validation"] == {}


def test_rows_that_were_not_evaluated_are_null(places, made):
    made.run("a", 0, test=[[NOT_EVALUATED] * 4, [NOT_EVALUATED] * 4, [1, 0, 3, 2]])
    found = evaluate_run(places, "little", "a", 0)
    assert found["matrix"] == [[None, None], [1.0, 1.0]]
    assert found["initial"] == [None, None]
    assert set(found["metrics"]) == {"avg_acc_unweighted", "avg_acc_weighted"}


def test_diverged_run_has_a_matrix_but_no_metrics(places, made):
    made.run("a", 0, status="diverged", reason="loss is nan at task 1, step 3")
    found = evaluate_run(places, "little", "a", 0)
    assert (found["metrics"], found["validation"]) == ({}, {})
    assert found["matrix"] == [[1.0, 0.0], [0.5, 1.0]]
    assert found["reason"] == "loss is nan at task 1, step 3"


def test_fraction_too_small_to_hold_anything_out_of_a_task(places, made):
    split({**made.scenario, "validation": 0.1}, [0], places)  # a tenth of two images per class is none
    made.run("a", 0, validation=[[], [], []])
    found = evaluate_run(places, "little", "a", 0)
    assert found["validation"] == {}
    assert found["metrics"]["avg_acc_unweighted"] == 0.75


def test_costs_leave_out_what_was_not_measured():
    record = {"wall_s": {}, "device_s": {}, "vram_mb": None, "ram_mb": None, "carried_bytes": [], "parameters": 0}
    assert costs({**record, "it_per_s": None}) == {"parameters": 0.0}


def test_phases_are_added_up_where_a_method_has_them():
    """Encoder and local epochs are the local phase, translator and global ones the global one."""
    phases = {"encoder": 1.0, "local": 2.0, "translator": 4.0, "global": 8.0, "another": 16.0}
    wall = {"train": 40.0, **{f"train, {name}": seconds for name, seconds in phases.items()}}
    assert phase_costs({"wall_s": wall}) == {"local_s": 3.0, "global_s": 12.0}
    assert phase_costs({"wall_s": {"train": 40.0, "train, noise inversion": 5.0}}) == {"inversion_s": 5.0}


REDO = "delete the folder of this run and run again"


def test_missing_run(places):
    assert refused(evaluate_run, places, "little", "a", 0).endswith(f"run.json is missing: {REDO}")


def test_half_a_record(places, made):
    path = made.run("a", 0) / "run.json"
    path.write_text(path.read_text()[:50])
    text = refused(evaluate_run, places, "little", "a", 0)
    assert text.startswith(f"{path} is damaged (")
    assert text.endswith(REDO)


@pytest.mark.parametrize("damage", ["one byte", "truncated", "gone"])
def test_damaged_predictions(places, made, damage):
    path = made.run("a", 0) / "predictions.npz"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage == "one byte" else content[:100])
    if damage == "gone":
        path.unlink()
    text = refused(evaluate_run, places, "little", "a", 0)
    assert text == f"{path} is missing or does not match its run.json: {REDO}"


def test_run_of_another_split(places, made):
    folder = made.run("a", 0, split_sha256="0" * 64)
    text = refused(evaluate_run, places, "little", "a", 0)
    assert text == f"{folder} was trained on another split than {places.split('little', 0)}: {REDO}"


def test_predictions_of_another_shape(places, made):
    made.run("a", 0, test=[[0, 1, 2], [0, 1, 2], [0, 1, 2]])
    assert "predictions of shape (3, 3) do not fit 2 tasks and 4 labels" in refused(
        evaluate_run, places, "little", "a", 0
    )


def test_missing_and_changed_split(places, made):
    made.run("a", 0)
    path = places.split("little", 0)
    text = path.read_text()
    path.write_text(text.replace('"seed":0', '"seed":1'))
    assert "does not match its own SHA-256" in refused(evaluate_run, places, "little", "a", 0)
    path.unlink()
    assert f"{path} is missing: delete {path} and run again" in refused(evaluate_run, places, "little", "a", 0)


def test_evaluate_writes_all_seeds_and_the_same_bytes_again(places, made):
    for seed in (0, 2):
        made.run("a", seed)
    evaluate("little", "a", [0, 2], places)
    path = places.metrics("little", "a")
    first = path.read_bytes()
    stored = json.loads(first)
    assert (stored["scenario"], stored["method"], [run["seed"] for run in stored["runs"]]) == (
        "little",
        "a",
        [0, 2],
    )
    evaluate("little", "a", [0, 2], places)
    assert path.read_bytes() == first


# Collect ----------------------------------------------------------------------------------------------


def test_expected_runs(suite):
    assert expected(suite) == [("little", "a", 0), ("little", "a", 1), ("little", "b", 0), ("little", "b", 1)]


def test_collected_frame(places, made, suite):
    made.run("a", 0)
    made.run("a", 1, test=[[0] * 4, [1, 0, 3, 2], [1, 0, 3, 2]])
    made.run("b", 0)
    made.run("b", 1, status="diverged", reason='loss is nan, "at task 1"\nstep 3')
    for method in suite["methods"]:
        evaluate("little", method, suite["seeds"], places)
    collect(suite, places)
    table = read(places.collected("s"))
    assert tuple(table[0]) == COLUMNS
    value = {(r["method"], r["seed"]): float(r["value"]) for r in table if r["metric"] == "avg_acc_unweighted"}
    assert value == {("a", "0"): 0.75, ("a", "1"): 1.0, ("b", "0"): 0.75}
    bad = [r for r in table if r["status"] != "ok"]
    assert [(r["method"], r["seed"], r["metric"], r["value"], r["status"], r["reason"]) for r in bad] == [
        ("b", "1", "", "", "diverged", 'loss is nan, "at task 1"\nstep 3')
    ]
    assert len(table) == 3 * (9 + 8) + 1
    first = places.collected("s").read_bytes()
    collect(suite, places)
    assert places.collected("s").read_bytes() == first


def test_every_digit_of_a_value_is_kept(places, made, suite):
    made.run("a", 0, it_per_s=1 / 3)
    evaluate("little", "a", [0], places)
    collect({**suite, "methods": ["a"], "seeds": [0]}, places)
    assert [float(r["value"]) for r in read(places.collected("s")) if r["metric"] == "it_per_s"] == [1 / 3]


@pytest.mark.parametrize(
    ("counts", "words"), [([40, 40], "40 samples per task"), ([40, 9], "9 to 40 samples per")]
)
def test_an_fid_of_singular_covariances_says_so(places, suite, counts, words):
    generation = {"extractor": "e", "extractor_sha256": "0", "feature_dim": 50, "n_generated": counts}
    metrics = {"fid@e": 1.5, "fid_change@e": 0.5, "kid@e": 0.1}
    for name, deficient in (("a", True), ("b", False)):
        made = {**generation, "rank_deficient": deficient}
        run = {"status": "ok", "reason": "", "costs": {"wall_s": 1.0}, "metrics": metrics, "generation": made}
        stored = {"runs": [{**run, "seed": 0}, {**run, "seed": 1}]}
        path = places.metrics("little", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(stored))
    collect(suite, places)
    said = {(row["method"], row["metric"]): row["reason"] for row in read(places.collected("s"))}
    assert words in said["a", "fid@e"]
    assert "for 50 features: this FID depends on the number of samples" in said["a", "fid@e"]
    assert said["a", "fid_change@e"] == said["a", "fid@e"]
    assert {key for key, text in said.items() if text} == {("a", "fid@e"), ("a", "fid_change@e")}


def test_collect_needs_the_metrics_of_every_method(places, made, suite):
    made.run("a", 0)
    evaluate("little", "a", [0], places)
    assert refused(collect, suite, places).endswith("b.json is missing: run the evaluate step again")
    assert not places.collected("s").exists()


def test_damaged_metrics_are_one_sentence(places, suite):
    path = places.metrics("little", "a")
    path.parent.mkdir(parents=True)
    path.write_text('{"runs": [')
    assert "a.json is damaged (" in refused(collect, suite, places)


def test_partial_takes_what_is_there_and_names_the_rest(places, made, suite):
    made.run("a", 0)
    evaluate("little", "a", [0], places)
    made.run("a", 1)  # finished, not yet evaluated
    (made.run("b", 0) / "predictions.npz").unlink()
    collect(suite, places, partial=True)
    status = {(r["method"], r["seed"]): (r["status"], r["reason"]) for r in read(places.collected("s"))}
    assert status[("a", "0")] == status[("a", "1")] == ("ok", "")
    assert status[("b", "0")][0] == "failed"
    assert "predictions.npz is missing or does not match its run.json" in status[("b", "0")][1]
    assert status[("b", "1")] == ("not run", "no finished run")


def test_seed_missing_from_the_metrics_is_a_row(places, made, suite):
    made.run("a", 0)
    evaluate("little", "a", [0], places)
    evaluate("little", "b", [], places)
    collect(suite, places)
    bad = {(r["method"], r["seed"], r["status"]) for r in read(places.collected("s")) if r["status"] != "ok"}
    assert bad == {("a", "1", "not run"), ("b", "0", "not run"), ("b", "1", "not run")}


# Check ------------------------------------------------------------------------------------------------


def test_check_is_silent_when_all_is_well(places, made, suite):
    for method in "ab":
        for seed in (0, 1):
            made.run(method, seed)
        evaluate("little", method, [0, 1], places)
    collect(suite, places)
    assert check(places.collected("s")) is None


def test_check_names_what_did_not_come_out(places, suite):
    collect({**suite, "methods": ["a"]}, places, partial=True)
    assert refused(check, places.collected("s")) == (
        "2 runs did not come out, the tables say which: little/a seed 0 not run (no finished run); "
        "little/a seed 1 not run (no finished run)"
    )


def test_check_names_at_most_five(places, suite):
    collect({**suite, "seeds": [0, 1, 2, 3]}, places, partial=True)
    text = refused(check, places.collected("s"))
    assert text.startswith("8 runs did not come out")
    assert text.endswith("; and 3 more")
    assert text.count("not run") == 5


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00", b'scenario,status\n"little'])
def test_check_of_a_file_that_is_no_frame(tmp_path, content):
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    assert refused(check, path) == f"{path} is damaged: delete it and run again"


def test_check_of_a_missing_file(tmp_path):
    assert refused(check, tmp_path / "s.csv") == f"{tmp_path / 's.csv'} is missing: run the collect step first"
