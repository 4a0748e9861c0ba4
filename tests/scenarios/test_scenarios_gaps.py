"""Samples that could not be read and modalities that whole tasks lack, by hand."""

import numpy as np
import pytest

from recollect.scenarios.gaps import Presence
from recollect.scenarios.manifest import SourceData, make_manifest, rows
from recollect.scenarios.protocols import SplitError

Y = np.array([0, 0, 0, 1, 1, 1])
TEST_Y = np.array([0, 0, 1, 1])


def source(train=(), test=(), lacking_train=(), lacking_test=(), name="pairs"):
    """Two classes; rows of ``train``/``test`` could not be read, those of ``lacking`` have no sound."""
    present, test_present = np.ones((6, 2), dtype=bool), np.ones((4, 2), dtype=bool)
    present[list(lacking_train), 1] = False
    test_present[list(lacking_test), 1] = False
    present[list(train)] = False
    test_present[list(test)] = False
    names = tuple(f"clip{row}.mp4" for row in (*train, *test))
    presence = Presence(("image", "sound"), present, test_present, names)
    return SourceData(name, "0" * 64, 2, 10, Y, TEST_Y, presence)


def manifest(sources, **scenario):
    chosen = {"protocol": "class-incremental", "n_tasks": 2, "validation": 0.0, **scenario}
    return make_manifest(chosen, sources if isinstance(sources, list) else [sources], 0)


def test_whole_data_change_no_byte_of_the_manifest():
    plain = SourceData("pairs", "0" * 64, 2, 10, Y, TEST_Y)
    assert manifest(source()) == manifest(plain)
    assert manifest(source(), skip_unreadable=True) == manifest(plain)


def test_unreadable_samples_are_an_error_that_names_them():
    with pytest.raises(
        SplitError, match=r"1 training and 2 test .*clip1\.mp4, clip0\.mp4, clip2\.mp4.*skip_unread"
    ):
        manifest(source(train=[1], test=[0, 2]))


def test_unreadable_samples_are_left_out_and_counted():
    made = manifest(source(train=[1, 5], test=[2]), skip_unreadable=True)
    assert made["skipped"] == {"train": 2, "test": 1}
    assert [rows(made, task, "train").tolist() for task in (0, 1)] == [[0, 2], [3, 4]]
    assert [rows(made, task, "test").tolist() for task in (0, 1)] == [[0, 1], [3]]


def test_a_sample_of_many_tasks_counts_once():
    """Every shard is evaluated on the whole test set."""
    made = manifest(source(train=[1], test=[2]), protocol="data-incremental", n_tasks=3, skip_unreadable=True)
    assert made["skipped"] == {"train": 1, "test": 1}
    assert all(rows(made, task, "test").tolist() == [0, 1, 3] for task in range(3))


def test_rows_of_several_data_sets_count_on():
    """The second data set's rows follow those of the first."""
    made = manifest(
        [source(), source(train=[0], test=[3], name="more")],
        protocol="corpora",
        skip_unreadable=True,
        n_tasks=None,
    )
    assert rows(made, 0, "train").tolist() == [0, 1, 2, 3, 4, 5]
    assert rows(made, 1, "train").tolist() == [7, 8, 9, 10, 11]
    assert rows(made, 1, "test").tolist() == [4, 5, 6]
    assert made["skipped"] == {"train": 1, "test": 1}


def test_evaluation_on_training_data_leaves_out_the_same_rows():
    made = manifest(source(train=[1]), skip_unreadable=True, evaluate_on="training")
    assert rows(made, 0, "test").tolist() == rows(made, 0, "train").tolist() == [0, 2]


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"lacking_train": [0, 1, 2]}, "no training sample of task 0 has modality sound"),
        ({"lacking_test": [2, 3]}, "no test sample of task 1 has modality sound"),
    ],
)
def test_a_task_without_a_modality_is_an_error_unless_allowed(lacking, words):
    with pytest.raises(SplitError, match=words):
        manifest(source(**lacking))
    assert manifest(source(**lacking), absent_modalities=True) == manifest(source())


def test_a_modality_that_only_some_samples_lack_is_no_error():
    assert manifest(source(lacking_train=[0, 1, 3])) == manifest(source())


def test_a_sample_left_out_does_not_save_its_task():
    """Row 2 is the only one of task 0 with sound, and cannot be read."""
    with pytest.raises(SplitError, match="sound"):
        manifest(source(train=[2], lacking_train=[0, 1]), skip_unreadable=True)


def test_a_task_that_loses_all_is_an_error():
    with pytest.raises(SplitError, match="task 1 has 0 training"):
        manifest(source(train=[3, 4, 5]), skip_unreadable=True, absent_modalities=True)


def test_kinds_of_data_do_not_mix():
    images = SourceData("images", "0" * 64, 2, 10, Y, TEST_Y)
    with pytest.raises(SplitError, match="do not mix"):
        manifest([images, source()], protocol="corpora", n_tasks=None)
    other = source(name="other")
    renamed = Presence(("a", "b"), other.presence.train, other.presence.test)
    with pytest.raises(SplitError, match="different modalities"):
        manifest(
            [source(), SourceData("x", "0" * 64, 2, 10, Y, TEST_Y, renamed)], protocol="corpora", n_tasks=None
        )
