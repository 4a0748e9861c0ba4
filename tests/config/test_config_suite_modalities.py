"""Scenarios of several modalities: those that ship are as they are called, and none is treated as images."""

import numpy as np
import pytest

from recollect.config.schema import ConfigError, read_yaml
from recollect.config.suite import SCENARIOS_FILE, Suite
from recollect.datasets import DATASETS
from recollect.layout import ROOT
from recollect.scenarios.domains import Domains
from recollect.scenarios.manifest import SourceData, make_manifest

DEFAULT = ROOT / "config" / "default.yaml"
SPEAKERS = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]

# id: data sets, protocol, classes of every task
SHIPPED = {
    "digits_views5": (["digits_views"], "class-incremental", [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]),
    "spoken_written5": (["spoken_written_digits"], "class-incremental", [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]),
    "spoken_written_speakers": (
        [f"spoken_written_digits_{s}" for s in SPEAKERS], "corpora", [list(range(10))] * 6,
    ),
    "ave_ci4": (["ave"], "class-incremental", np.arange(28).reshape(4, 7).tolist()),
    "ave_di4": (["ave"], "clustered-domains", [list(range(28))] * 4),
    "digits_views_domains3": (["digits_views"], "clustered-domains", [list(range(10))] * 3),
    "uestc_ci4": (["uestc_mmea"], "class-incremental", np.arange(32).reshape(4, 8).tolist()),
    "uestc_ci8": (["uestc_mmea"], "class-incremental", np.arange(32).reshape(8, 4).tolist()),
    "uestc_ci16": (["uestc_mmea"], "class-incremental", np.arange(32).reshape(16, 2).tolist()),
    "samsemo_ci3": (["samsemo"], "class-incremental", [[0, 1], [2, 3], [4]]),
    "samsemo_languages": (
        [f"samsemo_{language}" for language in ("en", "de", "es", "pl", "ko")], "corpora", [list(range(5))] * 5,
    ),
}  # fmt: skip


def source(name):
    n_classes = DATASETS[name].n_classes
    y = np.repeat(np.arange(n_classes), 10)
    domains = Domains(np.arange(len(y)) % 5, np.arange(len(y) // 2) % 5, "hash")
    return SourceData(name, "content", n_classes, 1, y, y[::2], domains=domains)


@pytest.mark.parametrize("name", SHIPPED)
def test_scenarios_are_what_they_are_called(name):
    datasets, protocol, classes = SHIPPED[name]
    scenario = Suite(read_yaml(DEFAULT), (DEFAULT,)).scenario(name)
    assert (scenario["datasets"], scenario["protocol"]) == (datasets, protocol)
    manifest = make_manifest(scenario, [source(dataset) for dataset in datasets], 0)
    assert [task["classes"] for task in manifest["tasks"]] == classes
    assert manifest["n_classes"] == max(max(task) for task in classes) + 1


def test_every_scenario_of_several_modalities_is_tested_here():
    found = {
        name
        for name, scenario in read_yaml(SCENARIOS_FILE).items()
        if any(DATASETS[dataset].modalities for dataset in scenario["datasets"])
    }
    assert found == set(SHIPPED)


@pytest.mark.parametrize("protocol", ["permuted-pixels", "rotated"])
def test_protocols_that_change_images_are_refused(house, protocol):
    house.scenario = {"datasets": ["digits_views"], "protocol": protocol, "n_tasks": 3}
    with pytest.raises(ConfigError, match=f"{protocol} changes images"):
        house.load()


def test_keys_of_modalities_mean_nothing_to_images(house):
    house.scenario["skip_unreadable"] = True
    with pytest.raises(
        ConfigError, match="skip_unreadable is about samples of several modalities, digits has images"
    ):
        house.load()


def test_gaps_are_the_scenarios_decision(house):
    house.entry = {"defaults": {"lr": 0.1, "lam": 1.0, "source": "here"}}
    house.scenario = {
        "datasets": ["digits_views"], "protocol": "class-incremental", "n_tasks": 5, "skip_unreadable": True,
        "absent_modalities": True,
    }  # fmt: skip
    scenario = house.load().scenario("little")
    assert scenario["skip_unreadable"] is scenario["absent_modalities"] is True
    house.scenario["skip_unreadable"] = "yes"
    with pytest.raises(ConfigError, match=r"skip_unreadable = 'yes' .* must be of type boolean"):
        house.load()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"augmentation": "crop_flip"}, "augmentation crop_flip is for images"),
        ({"model": "cnn"}, "model cnn is for"),
    ],
)
def test_settings_for_images_are_refused(house, setting, words):
    house.entry = {"defaults": {"lr": 0.1, "lam": 1.0, "source": "here", **setting}}
    house.load()
    house.scenario = {"datasets": ["digits_views"], "protocol": "class-incremental", "n_tasks": 5}
    with pytest.raises(ConfigError, match=f"method toy on scenario little: {words}"):
        house.load()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"domains": {"modality": "sound", "tower": "mm_upper_digits"}},
            "no modality 'sound': choose one of upper, ",
        ),
        ({"domains": {"modality": "upper", "tower": "mm_image_fashion"}}, "mm_image_fashion takes .* upper has"),
        ({"domains": {"modality": "upper", "tower": "no tower"}}, "backbone 'no tower' is none"),
        ({"datasets": ["digits"]}, "samples of digits have no modality 'upper': they are images"),
        ({"datasets": ["digits_views"] * 2}, "one data set: name one"),
        ({"domains": None}, "domains is missing"),
    ],
)
def test_domains_that_cannot_be_made_are_refused(house, change, says):
    house.entry = {"defaults": {"lr": 0.1, "lam": 1.0, "source": "here"}}
    scenario = {
        "datasets": ["digits_views"], "protocol": "clustered-domains", "n_tasks": 3,
        "domains": {"modality": "upper", "tower": "mm_upper_digits"},
    }  # fmt: skip
    house.scenario = scenario
    house.load()
    house.scenario = {key: value for key, value in {**scenario, **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=says):
        house.load()
