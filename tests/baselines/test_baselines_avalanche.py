"""The stock Avalanche rows train; the one that cannot says so in a sentence."""

import numpy as np
import pytest

from recollect.engine.loading import available, find, load_build
from recollect.engine.record import PREDICTIONS
from recollect.errors import RecollectError

STOCK = {
    "naive_avalanche": {},
    "ewc_avalanche": {"lam": 1.0},
    "lwf_avalanche": {"alpha": 0.5},
    "derpp_avalanche": {"buffer_size": 12, "replay_batch_size": 5},
}


@pytest.mark.parametrize("method", STOCK)
def test_stock_rows_train_two_tiny_tasks(tiny, tmp_path, method):
    benchmark = tiny.benchmark(n_classes=4, n_tasks=2)
    train = {"epochs": 12, "width": 32, "lr": 0.1}
    record = tiny.runner(tmp_path, method, benchmark, hyper=STOCK[method], **train).run()
    assert (record["status"], record["carried_bytes"]) == ("ok", [])
    assert record["iterations"] == 2 * 12 * 4
    with np.load(tmp_path / PREDICTIONS) as rows:
        found = rows["test"]
    assert set(found[1]) <= {0, 1}, "answers are masked to the classes seen"
    images = [e.dataset.ready_images for e in benchmark.test_stream]
    assert (found[2][len(images[0]) :] == images[1].labels.numpy()).mean() > 0.7
    assert load_build(method).__module__ == f"baselines.{method}"


def test_stock_generative_replay_trains_on_28x28(tiny, tmp_path):
    benchmark = tiny.benchmark(n_classes=4, n_tasks=2, shape=(1, 28, 28), per_class=4)
    hyper = {"replay_size": 4}
    record = tiny.runner(
        tmp_path, "generative_replay_avalanche", benchmark, hyper=hyper, epochs=1, batch_size=3
    ).run()
    assert record["status"] == "ok"
    assert record["iterations"] == 2 * 2


def test_stock_generative_replay_refuses_other_shapes_in_one_sentence(tiny):
    with pytest.raises(RecollectError, match=r"\(1, 28, 28\).*\(1, 6, 6\).*use generative_replay") as caught:
        tiny.strategy("generative_replay_avalanche")
    assert "\n" not in str(caught.value)


def test_methods_are_found_by_file_name(monkeypatch, tmp_path):
    assert {"naive", "ewc", "derpp", *STOCK} <= set(available())
    with pytest.raises(RecollectError, match=r"no_such_method.*does not exist"):
        find("no_such_method")
    for folder in ("methods", "baselines"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twice.py").write_text("")
    monkeypatch.setattr("recollect.engine.loading.ROOT", tmp_path)
    with pytest.raises(RecollectError, match="both folders"):
        find("twice")
