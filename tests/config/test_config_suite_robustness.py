"""Suites that judge robustness: what cannot be done is said before any training."""

import pytest

from recollect.config.schema import ConfigError, read_yaml
from recollect.config.suite import Suite
from recollect.layout import ROOT
from recollect.plan import Plan

DEFAULT = ROOT / "config" / "default.yaml"


def load(**changes):
    config = read_yaml(DEFAULT) | {
        "scenarios": ["digits_robustness"],
        "methods": ["naive", "joint"],
        "robustness": {"set": "digits"},
        "tables": [{"id": "t", "title": "T", "metrics": ["corruption_acc@digits"]}],
    }
    return Suite.load(config | changes, [DEFAULT])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"robustness": {"set": "digit"}}, r"robustness.set = 'digit' in .*did you mean 'digits'"),
        ({"robustness": {"set": "cifar100"}}, "images are those of digits, the set fits cifar100 or cifar224"),
        ({"robustness": {"set": "digits", "reference": "derpp"}}, r"robustness.reference = 'derpp'.*naive, joint"),
        ({"robustness": {"set": "digits", "sets": 1}}, "unknown key 'robustness.sets'"),
        ({"robustness": {}}, "'set' is missing under robustness"),
        ({"scenarios": ["split_digits"]}, "its runs store no models: add store_model: true"),
        ({"scenarios": ["dirichlet_digits"]}, "its protocol is dirichlet"),
        ({"methods": ["vae_replay"], "tables": [{"id": "t", "title": "T", "metrics": ["wall_s"]}],
          "scenarios": ["digits_gen"]}, "judges classifiers, the suite has none"),
        ({"robustness": None}, r"tables\[0\].metrics has 'corruption_acc@digits'"),
        ({"tables": [{"id": "t", "title": "T", "metrics": ["corruption_acc@cifar100"]}]}, "did you mean"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_one_sentence(changes, says):
    with pytest.raises(ConfigError, match=says):
        load(**changes)


def test_the_plan_asks_for_images_models_and_answers():
    plan = Plan(load(robustness={"set": "digits", "reference": "joint"}))
    assert plan.robustness_files == [
        "results/robustness/digits_robustness/naive.json", "results/robustness/digits_robustness/joint.json",
    ]  # fmt: skip
    assert plan.corruption_lists(None) == [
        "results/corruptions/digits/corruptions.json", "results/corruptions/digits/perturbations.json",
    ]  # fmt: skip
    assert '"robustness":{"methods":["naive","joint"],"reference":"joint","set":"digits"}' in plan.suite_argument


def test_suites_without_it_are_what_they_were():
    plan = Plan(Suite.load(read_yaml(DEFAULT), [DEFAULT]))
    assert (plan.robustness_files, plan.corruption_lists(None)) == ([], [])
    assert "robustness" not in plan.suite_argument
