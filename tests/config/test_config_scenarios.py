"""Keys of scenarios beyond the protocols' own, and the generation scenarios that ship: each is as it is called."""

import json

import numpy as np
import pytest

from recollect.config import suite as suite_module
from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.datasets import DATASETS
from recollect.errors import RecollectError
from recollect.layout import ROOT
from recollect.scenarios.manifest import SourceData, make_manifest, rows
from recollect.scenarios.protocols import task_sizes

DEFAULT = ROOT / "config" / "default.yaml"
SCENARIOS = read_yaml(suite_module.SCENARIOS_FILE)

# id: data sets, protocol, tasks, classes of the first and last task (None: as drawn), evaluated on, extractor
PAIR, LAST, ENDS = [0, 1], [8, 9], [18, 19]
FORTY_EIGHT = list(range(48)), list(range(912, 960))
GENERATION = {
    "digits_gen": (["digits"], "class-incremental", 5, PAIR, LAST, "test", "cnn_digits"),
    "mnist_ci5": (["mnist"], "class-incremental", 5, PAIR, LAST, "test", "lenet_mnist"),
    "mnist_ci5_heldout": (["mnist"], "class-incremental", 5, PAIR, LAST, "heldout", "lenet_mnist"),
    "mnist_dir10": (["mnist"], "dirichlet", 10, None, None, "test", "lenet_mnist"),
    "mnist_dir10_heldout": (["mnist"], "dirichlet", 10, None, None, "heldout", "lenet_mnist"),
    "fmnist_ci5": (["fashion_mnist"], "class-incremental", 5, PAIR, LAST, "test", "inception"),
    "fmnist_dir10": (["fashion_mnist"], "dirichlet", 10, None, None, "test", "inception"),
    "omniglot_ci5": (
        ["omniglot_joined"], "class-incremental", 5, list(range(192)), list(range(768, 960)), "training",
        "lenet_omniglot",
    ),
    "omniglot_ci20": (["omniglot_joined"], "class-incremental", 20, *FORTY_EIGHT, "training", "lenet_omniglot"),
    "omniglot_dir20": (["omniglot_joined"], "dirichlet", 20, None, None, "training", "lenet_omniglot"),
    "fmnist_mnist_ci10": (["fashion_mnist", "mnist"], "class-incremental", 10, PAIR, ENDS, "test", "inception"),
    "mnist_fmnist_ci10": (["fashion_mnist", "mnist"], "class-incremental", 10, ENDS, PAIR, "test", "inception"),
    "celeba_ci5": (["celeba"], "class-incremental", 5, PAIR, LAST, "test", "inception"),
    "celeba_dir10": (["celeba"], "dirichlet", 10, None, None, "test", "inception"),
    "celeba_dir10a100": (["celeba"], "dirichlet", 10, None, None, "test", "inception"),
    "celeba_dir10_raw": (["celeba_raw_attributes"], "dirichlet", 10, None, None, "test", "inception"),
    "cifar10_ci5": (["cifar10"], "class-incremental", 5, PAIR, LAST, "test", "inception"),
    "cifar100_ci20": (
        ["cifar100"], "class-incremental", 20, [0, 1, 2, 3, 4], [95, 96, 97, 98, 99], "test", "inception",
    ),
    "cern_ci5": (["cern_zdc"], "ordered-continuous", 5, PAIR, LAST, "test", "zdc_channels"),
    "cern_synthetic_ci5": (["cern_zdc_synthetic"], "ordered-continuous", 5, PAIR, LAST, "test", "zdc_channels"),
}  # fmt: skip


def source(name):
    """A stand-in with as many images of every class as its task protocols need: 20 of 964, 100 of fewer."""
    spec = DATASETS[name]
    n = 20 if spec.n_classes > 100 else 100
    train, test = np.repeat(np.arange(spec.n_classes), n), np.repeat(np.arange(spec.n_classes), n // 2)
    return SourceData(name, "content", spec.n_classes, 1, train, test if spec.has_test else test[:0])


def resolved(name):
    return Suite(read_yaml(DEFAULT), (DEFAULT,)).scenario(name)


@pytest.mark.parametrize("name", GENERATION)
def test_generation_scenarios_are_what_they_are_called(name):
    datasets, protocol, n_tasks, first, last, evaluated_on, extractor = GENERATION[name]
    scenario = resolved(name)
    manifest = make_manifest(scenario, [source(dataset) for dataset in datasets], 0)
    assert (scenario["datasets"], scenario["protocol"], len(manifest["tasks"])) == (datasets, protocol, n_tasks)
    if first is not None:
        assert (manifest["tasks"][0]["classes"], manifest["tasks"][-1]["classes"]) == (first, last)
        sizes = {len(task["classes"]) for task in manifest["tasks"]}
        assert sizes == {len(first)}
    assert manifest.get("evaluate_on", "test") == evaluated_on
    assert manifest.get("heldout") == {"test": None, "training": 0.0, "heldout": 0.3}[evaluated_on]
    assert scenario.get("extractor") == extractor
    assert (manifest["validation"], scenario["title"] != name) == (0.0, True)


@pytest.mark.parametrize(
    ("name", "alpha"), [(n, 100.0 if n.endswith("a100") else 1.0) for n in GENERATION if "_dir" in n]
)
def test_dirichlet_ones_are_those_of_the_authors(name, alpha):
    scenario = resolved(name)
    assert (scenario["alpha"], scenario["variant"]) == (alpha, "adapt_align")


def test_reversed_order_has_the_same_tasks():
    manifests = [
        make_manifest(resolved(name), [source("fashion_mnist"), source("mnist")], 0)
        for name in ("fmnist_mnist_ci10", "mnist_fmnist_ci10")
    ]
    forward, backward = ([rows(m, task, "train").tolist() for task in range(10)] for m in manifests)
    assert backward == forward[::-1]
    assert min(backward[0]) >= 1000, "MNIST, the second data set, comes first"


def test_heldout_ones_are_the_others_but_for_what_is_evaluated():
    for name in ("mnist_ci5", "mnist_dir10"):
        plain, held = (
            {k: v for k, v in resolved(n).items() if k not in ("id", "title")} for n in (name, f"{name}_heldout")
        )
        assert held == {**plain, "evaluate_on": "heldout", "heldout": 0.3}


def test_titles_are_unique_and_synthetic_data_are_called_so():
    titles = [entry["title"] for entry in SCENARIOS.values()]
    assert len(set(titles)) == len(titles)
    for entry in SCENARIOS.values():
        assert ("synthetic" in entry["title"]) == ("cern_zdc_synthetic" in entry["datasets"])


OLDER = """
split_digits permuted_digits dirichlet_digits split_mnist split_mnist_permuted_order task_il_mnist permuted_mnist
rotated_mnist mnist_dirichlet10 data_incremental_mnist fashion_then_mnist split_fashion_mnist split_cifar10
split_cifar100 split_omniglot
""".split()  # noqa: SIM905 - names read better as one text


def test_older_scenarios_split_as_before():
    assert set(OLDER) < set(SCENARIOS)
    for name in OLDER:
        assert not {"evaluate_on", "heldout"} & set(SCENARIOS[name])
    kept = {key: value for key, value in resolved("split_digits").items() if key != "extractor"}
    assert json.dumps(kept, sort_keys=True) == (
        '{"datasets": ["digits"], "id": "split_digits", "n_tasks": 5, "protocol": "class-incremental", '
        '"title": "Split Digits", "validation": 0.1}'
    )


# Refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({"evaluate_on": "tests"}, "did you mean 'test'?"),
        ({"evaluate_on": "heldout"}, "little in config/scenarios.yaml: evaluate_on: heldout needs the share"),
        ({"evaluate_on": "training", "heldout": 0.3}, "heldout has no use with evaluate_on: training"),
        ({"heldout": 0.3}, "heldout has no use with evaluate_on: test"),
        ({"evaluate_on": "heldout", "heldout": 1.0}, "little.heldout in "),
        ({"evaluate_on": "heldout", "heldout": 0}, "little.heldout in "),
        ({"evaluate_on": "heldout", "heldout": "0.3"}, "must be of type number"),
        ({"evaluate_an": "test"}, "unknown key 'little.evaluate_an'"),
        ({"extractor": 3}, "little.extractor = 3 in "),
        (
            {"datasets": ["omniglot_joined"], "drop_remainder": True},
            "data set omniglot_joined of scenario little in config/scenarios.yaml has no test images: add",
        ),
        ({"protocol": "ordered-continuous", "n_tasks": 4}, "10 bins do not divide evenly into 4 tasks: choose"),
        ({"protocol": "ordered-continuous", "n_tasks": 11}, "choose n_tasks from 1, 2, 5, 10"),
        (
            {"protocol": "ordered-continuous", "class_order": "permuted"},
            "key 'class_order' means nothing to protocol ordered-continuous",
        ),
        (
            {"protocol": "ordered-continuous", "datasets": ["cern_zdc", "cern_zdc_synthetic"]},
            "orders the bins of one variable: name one data set",
        ),
    ],
)  # fmt: skip
def test_wrong_keys(house, scenario, says):
    house.scenario |= scenario
    with pytest.raises(RecollectError) as error:
        house.load()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_ordered_bins_need_their_number_of_tasks(house):
    house.scenario = {"datasets": ["digits"], "protocol": "ordered-continuous"}
    with pytest.raises(
        RecollectError, match=r"n_tasks is missing in scenario little .* ordered-continuous needs it"
    ):
        house.load()


def test_keys_that_are_right(house):
    house.scenario |= {"evaluate_on": "heldout", "heldout": 0.3, "extractor": "cnn_digits"}
    found = house.load().scenario("little")
    assert (found["evaluate_on"], found["heldout"], found["extractor"]) == ("heldout", 0.3, "cnn_digits")


def test_lca_scenarios_have_the_published_splits_and_class_orders():
    """Classes per task, from the table of tasks in the authors' code."""
    published = {
        "cifar224": [10] * 10, "imagenetr": [20] * 10, "imageneta": [20] * 10, "cub": [20] * 10,
        "omnibenchmark": [30] * 10, "vtab": [10] * 5, "cars": [16] + [20] * 9,
    }  # fmt: skip
    for dataset, sizes in published.items():
        entry = resolved(f"lca_{dataset}")
        assert (entry["datasets"], entry["class_order"]) == ([dataset], "pilot")
        found = task_sizes(sum(sizes), entry["n_tasks"], entry.get("first_task_classes"))
        assert found == sizes
        assert DATASETS[dataset].n_classes == sum(sizes)
