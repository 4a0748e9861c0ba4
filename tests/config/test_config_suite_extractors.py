"""Generators on scenarios where they could not be judged are refused before anything is trained."""

import pytest

from recollect.config.schema import ConfigError
from recollect.config.suite import Suite


@pytest.fixture
def generator(house):
    """The house with `toy` as a generator."""
    house.entry["makes"] = "images"
    house.entry["defaults"] = {"lr": 0.1, "lam": 1.0, "source": "here"}
    return house


def refused(house):
    with pytest.raises(ConfigError) as error:
        house.load()
    return str(error.value)


def test_an_extractor_that_takes_the_images(generator):
    generator.scenario["extractor"] = "cnn_digits"
    assert isinstance(generator.load(), Suite)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({}, ["names no extractor, which toy is judged with: add extractor, one of cnn_digits, inception"]),
        ({"extractor": "cnn_digit"}, ["unknown extractor 'cnn_digit' of scenario little in ", "'cnn_digits'"]),
        (
            {"extractor": "lenet_mnist"},
            [
                "extractor lenet_mnist of scenario little in ", "does not take uint8 images of shape (1, 8, 8): ",
                "choose another, one of cnn_digits, inception",
            ],
        ),
        (
            {"extractor": "cnn_digits", "datasets": ["cern_zdc_synthetic"], "protocol": "ordered-continuous"},
            ["does not take float32 images of shape (1, 44, 44): choose another, one of zdc_channels"],
        ),
        ({"extractor": "zdc_channels"}, ["zdc_channels", "does not take uint8 images of shape (1, 8, 8)"]),
        (
            {"extractor": "cnn_digits", "datasets": ["digits", "mnist"]},
            ["uint8 images of shape (1, 8, 8) and uint8 images of shape (1, 28, 28): choose another, one of ince"],
        ),
        (
            {"extractor": "cnn_digits", "protocol": "permuted-pixels"},
            ["protocol permuted-pixels of scenario little", "changes the images of its tasks, on which toy"],
        ),
    ],
)  # fmt: skip
def test_what_could_not_be_judged(generator, scenario, says):
    generator.scenario.update(scenario)
    text = refused(generator)
    assert "\n" not in text
    for words in says:
        assert words in text


def test_methods_that_answer_need_no_extractor(house):
    house.scenario["extractor"] = "lenet_mnist"
    assert isinstance(house.load(), Suite)


@pytest.mark.parametrize(("metric", "fine"), [("w1_channels@zdc_channels", True), ("fid@zdc_channels", False)])
def test_tables_show_what_exists_for_an_extractor(house, metric, fine):
    house.config["tables"] = [{"id": "t", "title": "T", "metrics": [metric]}]
    if fine:
        assert isinstance(house.load(), Suite)
    else:
        assert "tables[0].metrics has 'fid@zdc_channels'" in refused(house)
