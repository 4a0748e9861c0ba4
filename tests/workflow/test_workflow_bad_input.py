"""What a user mistypes is refused before any job starts: one clear message, a non-zero status, no trace."""

from __future__ import annotations

import pytest
from workflow_checkout import Checkout

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"sedes": [0]}, ["sedes", "small.yaml", "did you mean 'seeds'"]),
        ({"methods": ["naive", "derp"]}, ["derp", "small.yaml", "did you mean 'der", "config/methods.yaml"]),
        ({"scenarios": ["split_digit"]}, ["split_digit", "did you mean 'split_digits'", "config/scenarios.yaml"]),
        ({"seeds": ["one"]}, ["seeds[0]", "'one'", "integer", "small.yaml"]),
        ({"overrides": {"er": {"bufer_size": 3}}}, ["bufer_size", "did you mean 'buffer_size'", "small.yaml"]),
        ({"overrides": {"er": {"lr": "fast"}}}, ["lr = 'fast'", "float", "small.yaml"]),
        ({"overrides": {"naive": {"optimizer": "adma"}}}, ["optimizer = 'adma'", "Literal['sgd', 'adam']"]),
    ],
)
def test_mistakes_in_the_configuration(finished: Checkout, config: dict[str, object], words: list[str]) -> None:
    result = finished.snakemake("-n", config=config)
    text = result.stdout + result.stderr
    assert result.returncode != 0
    for word in words:
        assert word in text, text
    assert "Traceback" not in text
    assert "Job stats" not in text


def test_more_tasks_than_classes(finished: Checkout) -> None:
    scenarios = finished.root / "config/scenarios.yaml"
    original = scenarios.read_text()
    scenarios.write_text(original.replace("  n_tasks: 5\n", "  n_tasks: 11\n", 1))
    result = finished.snakemake("-n")
    scenarios.write_text(original)
    text = result.stdout + result.stderr
    assert result.returncode != 0
    assert "11 tasks from 10 classes" in text
    assert "scenario split_digits" in text
    assert "Traceback" not in text


def test_missing_data_say_where_it_looked_and_how_to_get_them(fresh: Checkout) -> None:
    (fresh.root / "here").mkdir()
    config = {"scenarios": ["split_mnist"], "data_dir": "here", "offline": True, "overrides": {}}
    result = fresh.snakemake(config=config)
    text = result.stdout + result.stderr
    assert result.returncode != 0
    for word in ("mnist", "here", "RECOLLECT_DATA"):
        assert word in text
    assert "Traceback" not in text


def test_cuda_asked_for_and_absent(fresh: Checkout) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    result = fresh.snakemake(config={"device": "cuda"})
    text = result.stdout + result.stderr
    assert result.returncode != 0
    assert "set device to auto or cpu" in text
    assert "Traceback" not in text
