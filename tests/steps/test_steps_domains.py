"""The domains step on digits in two views: features are those of the library, domains become tasks."""

import json

import numpy as np
import pytest
import torch

from recollect.datasets import open_prepared, prepare
from recollect.errors import RecollectError
from recollect.extractors.weights import weights_sha256, write_weights
from recollect.files import write_json
from recollect.multimodal.registry import get_tower_spec
from recollect.multimodal.towers import random_tower
from recollect.multimodal.weights import load_tower
from recollect.plan import DEFAULT, Plan
from recollect.scenarios.manifest import read_manifest, rows
from recollect.steps.domains import frozen_features, make_domains
from recollect.steps.places import Places
from recollect.steps.pretrain import locate
from recollect.steps.split import split

TOWER = "mm_upper_digits"
SCENARIO = {
    "id": "toys", "datasets": ["digits_views"], "protocol": "clustered-domains", "n_tasks": 3, "validation": 0.0,
    "domains": {"modality": "upper", "tower": TOWER},
}  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Digits, and a transformer with random weights as if it had been trained."""
    found = Places(tmp_path_factory.mktemp("domains") / "results")
    prepare("digits_views", found.results, found.data("digits_views"), progress=False)
    weights = dict(random_tower(get_tower_spec(TOWER).size, seed=5).state_dict())
    folder = found.backbone(TOWER)
    folder.mkdir(parents=True)
    write_weights(folder / "weights.safetensors", weights)
    write_json(folder / "backbone.json", {"schema": 1, "id": TOWER, "sha256": weights_sha256(weights)})
    make_domains(SCENARIO, found, progress=False)
    return found


def test_features_are_those_of_the_library(places):
    half = open_prepared(places.data("digits_views")).test_x
    tower = load_tower(locate("", TOWER, places), "upper", (1, 4, 8))
    found = frozen_features(tower, half, "upper", torch.device("cpu"), progress=False)
    tower.network.norm = torch.nn.Identity()
    with torch.no_grad():
        wanted = tower.network.forward_features(torch.from_numpy(np.array(half.values["upper"])).float() / 255)[
            :, 0
        ]
    assert np.allclose(found, wanted.numpy(), atol=1e-5)


def test_every_sample_belongs_to_one_domain_and_the_largest_come_first(places):
    record = json.loads(places.domains("toys").read_text())
    data = open_prepared(places.data("digits_views"))
    train, test = np.array(record["train"]), np.array(record["test"])
    assert len(test) == len(data.test_y)
    for label in range(10):
        sizes = np.bincount(train[np.asarray(data.train_y) == label], minlength=3)
        assert sizes.tolist() == sorted(sizes, reverse=True)
        assert sizes.min() > 0
    split(SCENARIO, [0, 1], places)
    manifest = read_manifest(places.split("toys", 0))
    for part, of in (("train", train), ("test", test)):
        assert [rows(manifest, task, part).tolist() for task in range(3)] == [
            np.flatnonzero(of == task).tolist() for task in range(3)
        ]
    assert manifest["domains_sha256"] == record["sha256"]


def test_made_again_they_are_the_same_bytes(places):
    before = places.domains("toys").read_bytes()
    make_domains(SCENARIO, places, progress=False)
    assert places.domains("toys").read_bytes() == before


def test_missing_parts_are_one_sentence(places, tmp_path):
    other = {**SCENARIO, "id": "others"}
    with pytest.raises(RecollectError, match=r"others.json"):
        split(other, [0], places)
    with pytest.raises(RecollectError, match="mm_lower_digits"):
        make_domains(
            {**other, "domains": {"modality": "lower", "tower": "mm_lower_digits"}}, places, progress=False
        )


def test_the_plan_makes_domains_before_splits():
    from types import SimpleNamespace

    from recollect.config.schema import read_yaml
    from recollect.config.suite import Suite

    config = {
        **read_yaml(DEFAULT),
        "scenarios": ["digits_views_domains3", "digits_views5"],
        "methods": ["mmcl", "naive"],
    }
    plan = Plan(Suite.load({**config, "tables": [config["tables"][0] | {"reference": "naive"}]}, [DEFAULT]))
    clustered, plain = (SimpleNamespace(scenario=s) for s in ("digits_views_domains3", "digits_views5"))
    data = "results/data/digits_views/dataset.json"
    assert plan.split_inputs(clustered) == [data, "results/domains/digits_views_domains3.json"]
    assert plan.split_inputs(plain) == [data]
    assert plan.domain_inputs(clustered) == [data, "results/backbones/mm_upper_digits/backbone.json"]
