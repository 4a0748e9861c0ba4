"""The seen-class mask against sets kept by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.engine.outputs import OutputMask

N = 7
tasks_strategy = st.lists(st.sets(st.integers(0, N - 1), min_size=1, max_size=N), min_size=1, max_size=5)


def open_units(mask, task):
    """Which outputs survive ``apply`` for a sample of ``task``."""
    logits = torch.arange(float(N))[None]
    answered = mask.apply(logits, torch.tensor([task]))
    kept = torch.isfinite(answered[0])
    assert torch.equal(answered[0][kept], logits[0][kept])
    assert (answered[0][~kept] == -torch.inf).all()
    return kept.nonzero().flatten().tolist()


def expected_units(mode, tasks, task):
    if mode == "all":
        return list(range(N))
    return sorted(set().union(*tasks)) if mode == "seen" else sorted(tasks[task])


@pytest.mark.parametrize("mode", ["seen", "task", "all"])
@given(tasks=tasks_strategy)
def test_the_open_outputs_are_those_of_the_mode(mode, tasks):
    mask = OutputMask(N, mode)
    for number, classes in enumerate(tasks):
        mask.observe(classes, number)
        mask.observe(classes, number)  # a resumed run observes again
        for earlier in range(number + 1):
            expected = expected_units(mode, tasks[: number + 1], earlier)
            assert open_units(mask, earlier) == expected
            assert mask.allowed(earlier) == expected
    assert mask.seen == sorted(set().union(*tasks))
    first = [next((i for i, classes in enumerate(tasks) if c in classes), 0) for c in range(N)]
    assert mask.first_task().tolist() == first


@pytest.mark.parametrize("mode", ["seen", "task", "all"])
@given(tasks=tasks_strategy)
def test_the_state_makes_an_equal_mask(mode, tasks):
    mask, copy = OutputMask(N, mode), OutputMask(N, mode)
    for number, classes in enumerate(tasks):
        mask.observe(classes, number)
    copy.load_state_dict(mask.state_dict())
    assert copy.seen == mask.seen
    for task in range(len(tasks)):
        assert open_units(copy, task) == open_units(mask, task)
    copy.observe(range(N), 0)
    assert mask.seen == sorted(set().union(*tasks)), "the state is no alias"


def test_a_batch_of_mixed_tasks_gets_each_its_own_classes():
    mask = OutputMask(4, "task")
    mask.observe([0, 1], 0)
    mask.observe([2, 3], 1)
    answers = mask.apply(torch.tensor([[1.0, 2, 9, 8], [9.0, 8, 1, 2]]), torch.tensor([0, 1])).argmax(1)
    assert answers.tolist() == [1, 3]


@pytest.mark.parametrize("mode", ["seen", "task"])
def test_before_the_first_task_nothing_may_answer(mode):
    assert OutputMask(3, mode).allowed(0) == []
    assert OutputMask(3, "all").allowed(0) == [0, 1, 2]


def test_bad_calls_are_refused():
    with pytest.raises(ValueError, match="seen, task or all"):
        OutputMask(3, "none")
    with pytest.raises(ValueError, match="task label"):
        OutputMask(3, "task").apply(torch.zeros(1, 3))


def test_the_masked_gradient_reaches_open_outputs_only():
    mask = OutputMask(4, "seen")
    mask.observe([0, 2])
    logits = torch.zeros(3, 4, requires_grad=True)
    torch.nn.functional.cross_entropy(mask.apply(logits), torch.tensor([0, 2, 0])).backward()
    assert torch.equal(logits.grad[:, [1, 3]], torch.zeros(3, 2))
    expected = (torch.tensor([[0.5, 0.5]]) - torch.tensor([[1.0, 0], [0, 1], [1, 0]])) / 3
    torch.testing.assert_close(logits.grad[:, [0, 2]], expected)
