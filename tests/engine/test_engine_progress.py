"""Lines of progress: which task and epoch, how fast, how long still."""

from types import SimpleNamespace

import pytest

from recollect.engine import progress
from recollect.engine.phases import Phase


@pytest.mark.parametrize(
    ("epoch", "iteration", "shown", "left"),
    [(0, 5, "epoch 1/3", 25), (2, 5, "epoch 3/3", 5), (3, 0, "epoch 3/3", 0)],
    ids=["first", "last", "after the last step"],
)
def test_a_line_says_where_training_is(monkeypatch, capsys, epoch, iteration, shown, left):
    clock = iter([100.0, 100.0, 120.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    strategy = SimpleNamespace(
        phase=Phase("merge", 3), epoch=epoch, train_iterations=None, dataloader=range(10),
        clock=SimpleNamespace(train_epoch_iterations=iteration, train_exp_iterations=0, train_exp_epochs=0),
    )  # fmt: skip
    shows = progress.Progress("s/m seed 0", 5)
    shows.epoch(1, strategy)
    shows.step(1, strategy, 0.5, 40)
    said = capsys.readouterr().err
    assert said == f"s/m seed 0: task 2/5, merge, {shown}, 2 it/s, ETA {left / 2:.0f} s, loss 0.5\n"
