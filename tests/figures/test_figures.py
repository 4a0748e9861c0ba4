"""Figures: numbers against hand-worked matrices, same bytes for same input, words for what is missing."""

import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest

from recollect.errors import RecollectError
from recollect.figures import draw_all, figure_paths
from recollect.figures.curves import curves
from recollect.figures.dots import dots, shown_metrics
from recollect.figures.forgetting import forgetting_bars
from recollect.figures.heat_map import heat_map
from recollect.figures.matrices import (
    Curve,
    checked,
    lost_accuracy,
    lost_curve,
    mean_matrix,
    seen_accuracy,
    seen_curve,
)
from recollect.figures.style import OKABE_ITO, looks, style
from recollect.metrics.accuracy import forgetting_max
from recollect.tables import build_table, parse_declaration

NAN = np.nan
R = np.array([[[1.0, NAN], [0.5, 0.9]], [[0.8, NAN], [0.3, 0.7]]])
OPTIONS = {"confidence": 0.95, "n_resamples": 1000, "seed": 0}


@pytest.fixture
def declaration():
    return {
        "id": "two",
        "title": "Two tasks",
        "scenarios": ["digits/a"],
        "methods": ["naive", "joint", "ewc", "gr"],
        "metrics": ["wall_s", "avg_acc_unweighted", "forgetting_max"],
        "reference": None,
        "labels": {"gr": "Generative replay with a long name"},
        "expected": [("digits/a", m, s) for m in ("naive", "joint", "ewc", "gr") for s in (0, 1)],
    }


@pytest.fixture
def frame(declaration):
    rows = [
        ("digits/a", method, seed, metric, 0.5 + seed / 10, "ok", "")
        for method in ("naive", "joint")
        for seed in (0, 1)
        for metric in declaration["metrics"]
    ]
    rows += [("digits/a", "ewc", seed, None, NAN, "diverged", "at task 1, step 3") for seed in (0, 1)]
    columns = ["scenario", "method", "seed", "metric", "value", "status", "reason"]
    return build_table(pd.DataFrame(rows, columns=columns), declaration, n_resamples=1000)


def words(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def test_seen_accuracy_by_hand():
    """Seed 0: 1.0, (0.5 + 0.9) / 2; seed 1: 0.8, (0.3 + 0.7) / 2. Nothing above the diagonal is read."""
    np.testing.assert_allclose(seen_accuracy(R), [[1.0, 0.7], [0.8, 0.5]])
    np.testing.assert_allclose(seen_accuracy(np.where(np.isnan(R), 0.123, R)), [[1.0, 0.7], [0.8, 0.5]])


def test_curve_is_the_mean_over_seeds_with_its_interval():
    curve = seen_curve(R, **OPTIONS)
    np.testing.assert_allclose(curve.mean, [0.9, 0.6])
    np.testing.assert_allclose(curve.low, [0.8, 0.5])
    np.testing.assert_allclose(curve.high, [1.0, 0.7])


def test_a_row_that_was_not_evaluated_is_a_gap():
    joint = R.copy()
    joint[:, 0] = NAN
    np.testing.assert_allclose(seen_curve(joint, **OPTIONS).mean, [NAN, 0.6])
    np.testing.assert_allclose(mean_matrix(joint), [[NAN, NAN], [0.4, 0.8]])


def test_one_seed_has_no_band():
    curve = seen_curve(R[:1], **OPTIONS)
    np.testing.assert_allclose(curve.mean, [1.0, 0.7])
    assert np.isnan(curve.low).all()


@pytest.mark.parametrize(
    ("matrices", "match"),
    [({"a": np.ones((2, 3))}, "'a' must have shape"), ({"a": R, "b": np.ones((1, 3, 3))}, "as many tasks")],
)
def test_wrong_shapes_are_named(matrices, match):
    with pytest.raises(RecollectError, match=match):
        checked(matrices)


def test_heat_map_writes_percent_and_reasons(declaration):
    spec = parse_declaration(declaration)
    missing = {"joint": "not run", "ewc": "diverged", "gr": "failed"}
    with style():
        found = words(heat_map({"naive": R}, missing, spec))
    assert {"90", "40", "80", "naive", "not run", "diverged", "failed"} <= set(found)


def test_curves_draw_the_numbers_and_name_the_missing(declaration):
    spec = parse_declaration(declaration)
    curve = Curve(np.array([0.9, 0.6]), np.array([0.8, 0.5]), np.array([1.0, 0.7]))
    with style():
        figure = curves({"naive": curve}, {"joint": "not run", "ewc": "diverged", "gr": "failed"}, spec)
    line = next(line for line in figure.axes[0].get_lines() if line.get_label() == "naive")
    np.testing.assert_allclose(line.get_ydata(), [90, 60])
    assert "ewc: diverged" in words(figure)


def test_lost_accuracy_by_hand():
    """Seed 0: 1.0 - 0.5, seed 1: 0.8 - 0.3; a task may be best later; the mean is `forgetting_max`."""
    np.testing.assert_allclose(lost_accuracy(R), [[0.5], [0.5]])
    later = np.array([[[0.5, NAN, NAN], [0.9, 0.6, NAN], [0.7, 0.6, 0.8]]])
    np.testing.assert_allclose(lost_accuracy(later), [[0.2, 0.0]])
    assert lost_accuracy(later).mean() == pytest.approx(forgetting_max(later[0]))


def test_forgetting_of_what_was_judged_at_the_end_only_is_not_defined(declaration):
    joint = np.full((2, 3, 3), NAN)
    joint[:, -1] = 0.9
    assert np.isnan(lost_accuracy(joint)).all()
    spec = parse_declaration(declaration)
    lost = {"naive": lost_curve(R, **OPTIONS), "joint": lost_curve(joint, **OPTIONS)}
    with style():
        figure = forgetting_bars(lost, {"ewc": "diverged", "gr": "not run"}, spec)
    assert [bar.get_height() for bar in figure.axes[0].patches] == [pytest.approx(50)]
    assert {"not defined", "diverged", "not run"} <= set(words(figure))


def test_dots_show_every_seed_and_the_reason(declaration, frame):
    spec = parse_declaration(declaration)
    with style():
        figure = dots(frame.to_dict("records"), spec)
    drawn = [line.get_xdata().tolist() for line in figure.axes[0].get_lines()]
    assert [50.0, 60.0] in drawn
    assert [55.0] in [[pytest.approx(x) for x in xs] for xs in drawn]
    assert words(figure).count("diverged") == words(figure).count("not run") == 2


def test_metrics_of_the_dots():
    assert shown_metrics(["wall_s", "forgetting_max", "avg_acc_weighted"]) == [
        "avg_acc_weighted",
        "forgetting_max",
    ]
    assert shown_metrics(["wall_s", "ram_mb", "vram_mb"]) == ["wall_s", "ram_mb"]


def test_draw_all_is_deterministic_and_leaves_matplotlib_alone(declaration, frame, tmp_path):
    before = dict(matplotlib.rcParams)
    paths = draw_all({"naive": R, "joint": R}, frame, declaration, tmp_path / "a")
    assert paths == figure_paths(declaration, tmp_path / "a")
    assert paths[0].name == "two-digits_a-matrix.svg"
    assert len(paths) == 12
    again = draw_all({"joint": R, "naive": R}, frame, declaration, tmp_path / "b")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    assert dict(matplotlib.rcParams) == before
    for path in paths:
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().get("width", "").startswith("240.9")  # 85 mm in points


def test_matrices_may_be_given_by_scenario(declaration, frame, tmp_path):
    paths = draw_all({"digits/a": {"naive": R}}, frame, declaration, tmp_path)
    assert all(path.is_file() for path in paths)


def test_several_scenarios_need_matrices_of_each(declaration, frame, tmp_path):
    with pytest.raises(RecollectError, match="2 scenarios"):
        draw_all({"naive": R}, frame, {**declaration, "scenarios": ["digits/a", "b"]}, tmp_path)


def test_nothing_has_run_at_all(declaration, frame, tmp_path):
    paths = draw_all({}, frame, declaration, tmp_path)
    assert all(path.stat().st_size > 0 for path in paths)


def test_no_text_is_cut_off(declaration):
    """Every text of a figure lies inside it, long labels included."""
    spec = parse_declaration({**declaration, "methods": [f"m{i}" for i in range(11)], "labels": {
        "m3": "A method with quite a long name"}})  # fmt: skip
    with style():
        figure = heat_map({"m0": R}, {f"m{i}": "diverged" for i in range(1, 11)}, spec)
        figure.draw_without_rendering()
    width, height = figure.bbox.size
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= width + 1
            assert box.y1 <= height + 1


def test_looks_stay_apart():
    many = looks([f"m{i}" for i in range(32)])
    assert len(set(many.values())) == 32
    assert len(set(OKABE_ITO)) == 8
