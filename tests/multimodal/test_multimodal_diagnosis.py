"""What runs tell of themselves: silhouette against scikit-learn, points in a plane, metrics, pictures."""

import numpy as np
import pytest
import torch

from recollect.figures.experts import experts_figure, usage_by_block
from recollect.figures.modalities import modalities_figure
from recollect.figures.style import style
from recollect.multimodal.diagnosis import modality_clusters, plane, silhouette
from recollect.multimodal.encoder import Representation
from recollect.steps.evaluate import self_measured
from recollect.steps.suite_pictures import SELF_TOLD, picture_groups


def test_silhouette_by_hand():
    """Pairs at 0, 1 and at 4, 5 on a line: inner distances 1, outer 4.5 and 3.5, twice."""
    points, labels = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
    assert silhouette(points, labels) == pytest.approx(((4.5 - 1) / 4.5 + (3.5 - 1) / 3.5) / 2)


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_silhouette_equals_scikit_learns(clusters):
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(clusters)
    labels = np.concatenate([np.arange(clusters), np.arange(clusters), rng.integers(0, clusters, 40)])
    points = rng.normal(size=(len(labels), 6)) + labels[:, None]
    assert silhouette(points, labels) == pytest.approx(silhouette_score(points, labels))


def test_only_samples_that_have_a_modality_are_in_its_cluster():
    here = {"a": torch.tensor([True, True, False]), "b": torch.tensor([True, True, True])}
    z = {name: torch.randn(3, 4) for name in "ab"}
    points, labels = modality_clusters([Representation(z, torch.randn(3, 4), [], here)] * 2)
    assert labels.tolist() == [0] * 4 + [1] * 6
    assert np.linalg.norm(points, axis=1) == pytest.approx(1.0)


def test_the_plane_keeps_what_lies_in_a_plane():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(30, 2)) * [3.0, 1.0]
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    found = plane(np.pad(flat, ((0, 0), (0, 3))) @ turn + 7)
    centred = flat - flat.mean(axis=0)
    assert found @ found.T == pytest.approx(centred @ centred.T)


def test_metrics_of_a_record_by_hand():
    record = {
        "diagnoses": [
            {"silhouette": 0.5}, {"silhouette": 0.4, "routing_agreement": [1.0, 0.5]},
            {"silhouette": 0.3, "routing_agreement": [0.7, 0.6]},
        ],
        "notes": {"experts": [{"parameters_added": 0}, {"parameters_added": 12}, {"parameters_added": 6}]},
    }  # fmt: skip
    assert self_measured(record) == {
        "silhouette": 0.3, "routing_agreement": pytest.approx(0.7), "parameters_added": 6.0
    }  # fmt: skip
    assert self_measured({"notes": {}}) == {}


def test_usage_of_experts_that_came_later_is_empty_before():
    history = [{"usage": [[0.5, 0.5], [1.0, 0.0]]}, {"usage": [[0.2, 0.3, 0.5], [0.4, 0.6]]}]
    first, second = usage_by_block(history)
    assert np.isnan(first).tolist() == [[False, False, True], [False] * 3]
    assert second.tolist() == [[1.0, 0.0], [0.4, 0.6]]


def test_pictures_show_every_block_and_every_space():
    history = [{"usage": [[0.5, 0.5]] * 5}] * 3
    with style():
        experts = experts_figure(history, [[1.0] * 5, [0.5] * 5], "title")
        alone = experts_figure(history[:1], [], "title")
        clouds = modalities_figure({"a": [[0, 1], [1, 0]], "b": [[2, 2]], "joint": [[1, 1]]}, 0.25, "title")
    titles = {panel.get_title() for panel in experts.axes}
    assert titles >= {f"block {b}" for b in range(1, 6)}
    curves = next(panel for panel in experts.axes if panel.get_ylabel() == "same experts as before (%)")
    assert [line.get_ydata().tolist() for line in curves.lines] == [[100.0, 50.0]] * 5
    assert any(text.get_text() == "no earlier task to compare with" for p in alone.axes for text in p.texts)
    assert [line.get_label() for line in clouds.axes[0].lines] == ["a", "b", "joint"]
    assert "0.25" in clouds.axes[0].get_title()


def test_methods_that_look_at_themselves_have_pictures(tmp_path):
    from recollect.engine.loading import find

    (group,) = picture_groups(tmp_path, {}, {"mmcl": find("mmcl"), "naive": find("naive")})
    assert (group.kinds, group.methods) == (SELF_TOLD, ("mmcl",))
