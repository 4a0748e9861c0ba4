"""Domains from clusters: groups of every class, the largest first, matched over classes."""

from dataclasses import replace

import numpy as np
import pytest

from recollect.files import canonical_json, read_json, sha256_text, write_json
from recollect.scenarios.domains import Domains, cluster_domains, read_domains
from recollect.scenarios.manifest import make_manifest, rows
from recollect.scenarios.protocols import SplitError

SCENARIO = {
    "protocol": "clustered-domains",
    "n_tasks": 2,
    "domains": {"modality": "a", "tower": "t"},
    "validation": 0.0,
}


def directions(*angles):
    """Unit vectors (N, 2) at these degrees, of different lengths: only the direction may count."""
    radians = np.deg2rad(np.array(angles, dtype=float))
    lengths = 1.0 + np.arange(len(angles)) % 3
    return np.stack([np.cos(radians), np.sin(radians)], axis=1) * lengths[:, None]


def test_by_hand():
    """Class 0: five near 0 degrees, three near 90. Class 1: two near 0, four near 180: its domain 0."""
    train = directions(0, 90, 2, 1, 91, 3, 92, 4, 0, 180, 181, 1, 179, 182)
    train_y = np.array([0] * 8 + [1] * 6)
    test, test_y = directions(88, 5, 178, 3), np.array([0, 0, 1, 1])
    found, found_test = cluster_domains(train, train_y, test, test_y, 2)
    assert found.tolist() == [0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0]
    assert found_test.tolist() == [1, 0, 0, 1]


def test_the_order_of_samples_means_nothing():
    rng = np.random.default_rng(3)
    angles = np.concatenate([rng.normal(centre, 4, n) for centre, n in ((0, 30), (120, 20), (240, 11))])
    train, y = directions(*angles), np.zeros(61, dtype=int)
    test = directions(1, 119, 241)
    found, found_test = cluster_domains(train, y, test, np.zeros(3, dtype=int), 3)
    assert np.bincount(found).tolist() == [30, 20, 11]
    assert found_test.tolist() == [0, 1, 2]
    order = rng.permutation(61)
    again, _ = cluster_domains(train[order], y, test, np.zeros(3, dtype=int), 3)
    assert np.array_equal(again, found[order])


def test_the_global_stream_is_left_alone_and_the_seed_decides():
    x, y = np.random.default_rng(0).normal(size=(40, 5)), np.zeros(40, dtype=int)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = cluster_domains(x, y, x, y, 4, seed=1)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert np.array_equal(first[0], cluster_domains(x, y, x, y, 4, seed=1)[0])
    assert np.array_equal(*first), "the same samples as training and test samples"


def test_samples_without_features_count_to_the_largest_domain():
    train = directions(0, 1, 2, 90, 91)
    train[2] = np.nan
    found, found_test = cluster_domains(train, np.zeros(5, int), train[2:4], np.zeros(2, int), 2)
    assert found[2] == 0
    assert found_test[0] == 0
    assert found[3] == found[4] == found_test[1] != found[0]


@pytest.mark.parametrize("angles", [(0, 0, 0, 90, 90), (5,)])
def test_a_class_with_too_few_different_samples_is_named(angles):
    train = np.concatenate([directions(0, 45, 90, 135), directions(*([angles[0]] * 2)), directions(*angles[1:])])
    y = np.array([0] * 4 + [7] * (len(train) - 4))
    train /= np.linalg.norm(train, axis=1, keepdims=True)
    with pytest.raises(SplitError, match=r"class 7 has \d training samples .* 3 domains: lower n_tasks"):
        cluster_domains(train, y, train, y, 3)


def domains(data, seed=0):
    rng = np.random.default_rng(seed)
    return Domains(rng.integers(0, 2, len(data.train_y)), rng.integers(0, 2, len(data.test_y)), f"file {seed}")


def test_a_manifest_deals_every_sample_to_its_domain(toy):
    data = toy.source()
    data = replace(data, domains=domains(data))
    manifest = make_manifest(SCENARIO, [data], 0)
    for part, of in (("train", data.domains.train), ("test", data.domains.test)):
        for task in (0, 1):
            assert np.array_equal(rows(manifest, task, part), np.flatnonzero(of == task))
    assert manifest["tasks"][0]["classes"] == list(range(10))
    assert manifest["domains_sha256"] == "file 0"
    assert make_manifest(SCENARIO, [replace(data, domains=domains(data, 1))], 0)["sha256"] != manifest["sha256"]
    on_training = make_manifest({**SCENARIO, "evaluate_on": "training"}, [data], 0)
    assert np.array_equal(rows(on_training, 1, "test"), np.flatnonzero(data.domains.train == 1))


def test_without_domains_nothing_is_split(toy):
    with pytest.raises(SplitError, match="needs one data set and its domains: run the domains step"):
        make_manifest(SCENARIO, [toy.source()], 0)


def test_a_file_of_domains_is_read_only_as_it_was_written(tmp_path):
    path = tmp_path / "d.json"
    body = {"data_sha256": "x", "train": [0, 1], "test": [1]}
    write_json(path, {**body, "sha256": sha256_text(canonical_json(body))})
    found = read_domains(path, "x")
    assert (found.train.tolist(), found.test.tolist()) == ([0, 1], [1])
    with pytest.raises(SplitError, match="belongs to other data: delete"):
        read_domains(path, "y")
    write_json(path, {**read_json(path, ""), "test": [0]})
    with pytest.raises(SplitError, match=r"does not match its own SHA-256.*delete"):
        read_domains(path, "x")
    write_json(path, [1])
    with pytest.raises(SplitError, match="holds no domains"):
        read_domains(path, "x")
