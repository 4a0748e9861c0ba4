"""Pictures of runs: planning and drawing agree, the right model meets the right images, failed runs say so."""

import ast
import json
from copy import deepcopy

import matplotlib
import numpy as np
import pytest
import torch

from recollect.__main__ import main
from recollect.config.schema import read_yaml
from recollect.config.signature import defines
from recollect.config.suite import METHODS_FILE, SCENARIOS_FILE, Suite
from recollect.engine.building import build_strategy
from recollect.engine.loading import load_build
from recollect.engine.outputs import OutputMask
from recollect.engine.snapshots import save_snapshot, snapshot_hashes
from recollect.errors import RecollectError
from recollect.figures.sheet import About
from recollect.layout import METHOD_FOLDERS, ROOT
from recollect.plan import Plan
from recollect.steps.collect import collect
from recollect.steps.evaluate import evaluate
from recollect.steps.figures import make_figures
from recollect.steps.pictures import pictures
from recollect.steps.suite_figures import figure_declarations, figure_files
from recollect.steps.suite_pictures import ENCODER, SAMPLES, WITH_ENCODER, picture_groups, picture_paths

DEFAULT = ROOT / "config" / "default.yaml"
TRAIN = {"epochs": 1, "batch_size": 4, "lr": 0.1}
HYPER = {
    "vae_replay": {"latent": 2, "binary": 2, "gen_d": 2},
    "adapt_align_vae": {"latent": 2, "binary": 2, "gen_d": 2},
}


def words(figure):
    return " ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text)).replace("\n", " ")


# Files ---------------------------------------------------------------------------------------------


def write_run(places, made, method, seed, **changes):
    """A run of the toy data whose snapshots hold untrained networks."""
    folder = made.run(method, seed, **changes)
    record = json.loads((folder / "run.json").read_text())
    config = {"id": method, "file": method, "train": TRAIN, "hyper": HYPER[method]}
    strategy = build_strategy(
        config, OutputMask(4, "all"), input_shape=(1, 2, 3), n_tasks=2, value_range=(0.0, 1.0),
        device=torch.device("cpu"), seed=seed,
    )  # fmt: skip
    strategy.world = deepcopy(strategy.model.decoder)
    for task in range(2):
        save_snapshot(folder, task, strategy.snapshot())
    record |= {"config": {"method": config}, "n_tasks": 2, "snapshots": snapshot_hashes(folder, 2)}
    (folder / "run.json").write_text(json.dumps(record))


@pytest.fixture
def draw(places, tmp_path):
    def call(method, *seeds, kinds=WITH_ENCODER, **options):
        pictures("little", method, seeds, places, folder=tmp_path / "pictures", kinds=kinds, **options)
        return sorted(path.name for path in (tmp_path / "pictures").iterdir())

    return call


@pytest.mark.parametrize("method", HYPER)
def test_what_is_planned_is_drawn(places, made, draw, tmp_path, method):
    write_run(places, made, method, 0)
    file = next(path for folder in METHOD_FOLDERS if (path := ROOT / folder / f"{method}.py").is_file())
    (group,) = picture_groups(tmp_path / "pictures", {method: file}, {})
    assert group.kinds == WITH_ENCODER
    assert draw(method, 0) == sorted(path.rsplit("/", 1)[1] for path in group.files([("little", method)]))


def test_the_first_finished_seed_is_drawn(places, made, draw, tmp_path, monkeypatch):
    write_run(places, made, "vae_replay", 0, status="diverged", reason="at task 0, step 3")
    write_run(places, made, "vae_replay", 1)
    titles = []
    monkeypatch.setattr("recollect.steps.pictures.About", lambda *a: titles.append(a[0]) or About(*a))
    assert len(draw("vae_replay", 0, 1, kinds=[SAMPLES], label="Replay")) == 2
    assert titles == ["Replay, little, seed 1"]


def test_runs_that_did_not_come_out_say_so(places, made, draw, monkeypatch):
    write_run(places, made, "vae_replay", 0, status="diverged", reason="at task 0, step 3")
    said = []
    monkeypatch.setattr("recollect.steps.pictures.render", lambda figure, form: said.append(words(figure)) or b"")
    assert len(draw("vae_replay", 0)) == 6
    assert all("diverged: at task 0, step 3" in text for text in said)


def test_a_run_without_snapshots_is_refused(places, made, draw):
    made.run("vae_replay", 0, n_tasks=2)
    with pytest.raises(RecollectError, match="no snapshot of vae_replay after its last task: delete"):
        draw("vae_replay", 0)


def test_a_run_on_another_split_is_refused(places, made, draw):
    write_run(places, made, "vae_replay", 0, split_sha256="0")
    with pytest.raises(RecollectError, match="another split"):
        draw("vae_replay", 0)


def test_command_line(places, made, tmp_path):
    write_run(places, made, "vae_replay", 0)
    folder = tmp_path / "by hand"
    status = main([
        "pictures", "vae_replay", "--scenario", '{"id": "little"}', "--seeds", "0", "--folder", str(folder),
        "--results", str(places.results),
    ])  # fmt: skip
    assert status == 0
    assert sorted(path.suffix for path in folder.iterdir()) == [".pdf", ".png"]


# Planning ------------------------------------------------------------------------------------------


def suite_of(*methods, **changes):
    tables = [{"id": "t", "title": "T", "metrics": ["wall_s"]}]
    config = {**read_yaml(DEFAULT), "suite": "s", "methods": list(methods), "tables": tables, **changes}
    return Plan(Suite.load(config, [DEFAULT]))


def test_suites_without_generators_are_as_they_were():
    plan = suite_of("naive", "er")
    assert plan.picture_files == []
    assert plan.pictures == []
    assert "generators" not in json.loads(plan.suite_argument)
    assert {path.rsplit("/", 1)[1].split("-")[0] for path in plan.figure_files} == {"overview"}


def test_suites_of_generators_have_no_accuracy_figures():
    plan = suite_of("vae_replay", "adapt_align_gan")
    assert plan.figure_files == [
        f"results/figures/s/distances-split_digits-{method}.{form}"
        for method in ("vae_replay", "adapt_align_gan")
        for form in ("png", "pdf")
    ]
    assert [(group.methods, group.kinds) for group in plan.pictures] == [
        (("vae_replay",), WITH_ENCODER), (("adapt_align_gan",), (SAMPLES,)),
    ]  # fmt: skip
    assert "results/figures/s/latents-split_digits-vae_replay.png" in plan.picture_files
    assert len(plan.picture_files) == 2 * (3 + 1)


def test_every_generator_of_the_configuration_is_known_for_what_it_is():
    """The syntax tree, which planning reads, and the class, which is sampled, agree about encoders."""
    scenario = next(iter(read_yaml(SCENARIOS_FILE)))
    suite = Suite(read_yaml(DEFAULT), (DEFAULT,))
    files = {suite.method_file(n) for n, e in read_yaml(METHODS_FILE).items() if e.get("makes") == "images"}
    assert scenario
    assert len(files) >= 3
    for file in files:
        names = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
        module = load_build(file.stem).__globals__
        strategies = [module[name] for name in names if hasattr(module[name], "sample")]
        assert [defines(file, ENCODER)] == [hasattr(cls, ENCODER) for cls in strategies]


# Distances and accuracy in one suite ---------------------------------------------------------------


@pytest.fixture
def metrics(places, suite):
    """Method a answers, method b generates; ``write`` stores runs of b."""

    def write(*runs):
        path = places.metrics("little", "b")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"runs": [{"seed": seed, **run} for seed, run in enumerate(runs)]}))

    return write


def ok(*rows):
    made = {"extractor": "lenet", "extractor_sha256": "0", "fid": list(rows)}
    return {"status": "ok", "reason": "", "generation": made}


def test_distances_of_finished_seeds_are_drawn(places, suite, metrics, monkeypatch):
    drawn = []
    monkeypatch.setattr("recollect.steps.figures.distance_figure", lambda *a: drawn.append(a))
    monkeypatch.setattr("recollect.steps.figures.render", lambda figure, form: form.encode())
    metrics(ok([1.0, None], [2.0, 3.0]), {"status": "diverged", "reason": "r"})
    only = {**suite, "methods": ["b"], "generators": ["b"]}
    make_figures(only, places)
    ((distances, title),) = drawn
    assert (list(distances), title) == (["FID on lenet"], "B, little")
    np.testing.assert_array_equal(distances["FID on lenet"], [[[1, np.nan], [2, 3]]])
    assert figure_declarations(only) == []
    assert sorted(places.figures("s").glob("[!.]*")) == sorted(figure_files(only, places.figures("s")))


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({"status": "diverged", "reason": "at task 0"}, "diverged: at task 0"),
        ({"status": "ok", "reason": "", "generation": {"extractor": "lenet"}}, "not measured"),
        (ok([None]), "not measured"),
    ],
)
def test_without_distances_the_reason_is_drawn(places, suite, metrics, monkeypatch, run, says):
    said = []
    monkeypatch.setattr("recollect.steps.figures.render", lambda figure, form: said.append(words(figure)) or b"")
    metrics(run)
    make_figures({**suite, "methods": ["b"], "generators": ["b"]}, places)
    assert all(says in text for text in said)
    assert len(said) == 2


def test_a_suite_of_both_kinds_has_both_figures(places, suite, metrics, made):
    for seed in (0, 1):
        made.run("a", seed)
    evaluate("little", "a", [0, 1], places)
    both = ok([1.0, None], [2.0, 3.0]) | {"metrics": {"fid@lenet": 2.5}, "costs": {}}
    metrics(both, both)
    suite = {**suite, "generators": ["b"]}
    collect(suite, places)
    make_figures(suite, places)
    kinds = {path.name.split("-")[0] for path in places.figures("s").glob("[!.]*")}
    assert kinds == {"overview", "distances"}
    assert sorted(places.figures("s").glob("[!.]*")) == sorted(figure_files(suite, places.figures("s")))


def test_figures_that_show_nothing_new_are_kept(places, suite, metrics, monkeypatch):
    """A figure is drawn again if its numbers change or its file is gone, and only then."""
    drawn = []
    monkeypatch.setattr("recollect.steps.figures.distance_figure", lambda *a: drawn.append(a[1]))
    monkeypatch.setattr("recollect.steps.figures.render", lambda figure, form: form.encode())
    only = {**suite, "methods": ["b"], "generators": ["b"]}
    metrics(ok([1.0, None], [2.0, 3.0]))
    make_figures(only, places)
    make_figures(only, places)
    assert drawn == ["B, little"]
    metrics(ok([1.0, None], [2.0, 4.0]))
    make_figures(only, places)
    assert drawn == 2 * ["B, little"]
    picture_paths(places.figures("s"), "distances", "little", "b")[0].unlink()
    make_figures(only, places)
    assert drawn == 3 * ["B, little"]


def test_methods_that_answer_keep_their_figures(suite):
    (shown,) = figure_declarations({**suite, "generators": ["b"]})
    assert shown["methods"] == ["a"]
    (shown,) = figure_declarations(suite)
    assert shown["methods"] == ["a", "b"]


def test_every_scenario_shows_the_methods_that_ran_there(suite):
    shown = figure_declarations({**suite, "scenarios": ["one", "two"], "pairs": [["one", "a"], ["two", "b"]]})
    assert [(one["scenarios"], one["methods"]) for one in shown] == [(["one"], ["a"]), (["two"], ["b"])]
