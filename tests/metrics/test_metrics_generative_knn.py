"""k-NN precision and recall by hand, against a direct count, and with the two never exchanged."""

import numpy as np
import pytest

from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.knn import knn_precision_recall


def covered(points, members, k):
    radii = [sorted(np.linalg.norm(members - member, axis=1))[k] for member in members]
    return np.mean([any(np.linalg.norm(members - point, axis=1) <= radii) for point in points])


def test_points_on_a_line_by_hand():
    # Radii with k = 1: data 0, 1, 2 have 1, data 10 has 8; generated .5 and 2.5 have 2, generated 30 has 27.5.
    # Precision: .5 and 2.5 lie within the data's reach, 30 is 20 > 8 from 10. Recall: all data are reached.
    generated, reference = np.array([[0.5], [2.5], [30.0]]), np.array([[0.0], [1.0], [2.0], [10.0]])
    result = knn_precision_recall(generated, reference, k=1)
    assert result.precision == pytest.approx(2 / 3)
    assert result.recall == 1.0


def test_collapsed_generator_has_precision_and_no_recall():
    # The guard against exchanging the two, here or in torch-fidelity.
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(size=(60, 3)) + centre for centre in (0, 50, 100, 150)])
    collapsed = 0.1 * rng.normal(size=(60, 3))
    result = knn_precision_recall(collapsed, data)
    assert result.precision > 0.95
    assert result.recall < 0.25
    assert knn_precision_recall(data, collapsed) == (result.recall, result.precision)


def test_generator_beside_the_data_has_neither():
    rng = np.random.default_rng(1)
    assert knn_precision_recall(rng.normal(size=(50, 4)), rng.normal(size=(40, 4)) + 100) == (0.0, 0.0)


def test_copy_of_the_data_is_perfect():
    data = np.random.default_rng(2).normal(size=(50, 4))
    assert knn_precision_recall(data, data.copy()) == (1.0, 1.0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_against_a_direct_count(k):
    rng = np.random.default_rng(3)
    generated, reference = rng.normal(size=(70, 5)), 1.4 * rng.normal(size=(110, 5)) + 0.5
    result = knn_precision_recall(generated, reference, k=k)
    assert result.precision == pytest.approx(covered(generated, reference, k))
    assert result.recall == pytest.approx(covered(reference, generated, k))
    assert 0.1 < result.recall < result.precision


def test_three_neighbours_unless_said_otherwise():
    rng = np.random.default_rng(4)
    generated, reference = rng.normal(size=(2, 60, 4))
    assert knn_precision_recall(generated, reference) == knn_precision_recall(generated, reference, k=3)


def test_more_samples_than_one_batch_of_distances():
    rng = np.random.default_rng(5)
    generated, reference = rng.normal(size=(1100, 2)), rng.normal(size=(1050, 2)) + 1
    result = knn_precision_recall(generated, reference)
    assert result.precision == pytest.approx(covered(generated, reference, 3))


def test_too_few_samples_or_neighbours_are_refused():
    with pytest.raises(MetricError, match="3 generated samples: the metric needs at least 4"):
        knn_precision_recall(np.ones((3, 2)), np.ones((9, 2)))
    with pytest.raises(MetricError, match="k = 0: give a number of neighbours of at least 1"):
        knn_precision_recall(np.ones((9, 2)), np.ones((9, 2)), k=0)
