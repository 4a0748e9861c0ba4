"""Mixed batches: every row once, from one number per epoch, and the same rows after a kill anywhere."""

import pytest
import torch

from recollect.engine.mixed import MixedBatches

ITERATIONS, ROWS, BATCH = 7, 8, 3


class Source:
    """Rows that say where they come from: (iteration, a number of the block's generator)."""

    def __init__(self):
        self.blocks, self.orders, self.used = [], [], []

    def start_epoch(self, generator):
        self.order = torch.randperm(ITERATIONS, generator=generator)
        self.orders.append(self.order.tolist())

    def make_block(self, first, count, generator):
        self.blocks.append((first, count))
        drawn = torch.rand(count, ROWS, generator=generator)
        return [(self.order[first + i].expand(ROWS), drawn[i]) for i in range(count)]

    def adjust(self, rows):
        self.used.append(int(rows[0][0]))
        return rows


def batches(source, seed=0, per_block=3):
    return MixedBatches(
        iterations=ITERATIONS, rows=ROWS, batch_size=BATCH, make_block=source.make_block,
        start_epoch=source.start_epoch, adjust=source.adjust, iterations_per_block=per_block,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip


def epoch(loader):
    return [[part.clone() for part in batch] for batch in loader]


def equal(a, b):
    return len(a) == len(b) and all(
        torch.equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)
    )


def test_iterations_come_in_order_cut_to_batches():
    source = Source()
    loader = batches(source)
    found = epoch(loader)
    assert [len(batch[0]) for batch in found] == [3, 3, 2] * ITERATIONS
    assert len(found) == len(loader) == 21
    assert source.blocks == [(0, 3), (3, 3), (6, 1)]
    whole = [torch.cat([b[0] for b in found[i : i + 3]]).unique().tolist() for i in range(0, 21, 3)]
    assert whole == [[number] for number in source.orders[0]]
    assert source.used == source.orders[0]


def test_epochs_differ_and_follow_from_the_generator():
    first, again, other = batches(Source()), batches(Source()), batches(Source(), seed=1)
    epochs = [epoch(first), epoch(first)]
    assert not equal(*epochs)
    assert equal(epochs[0], epoch(again))
    assert equal(epochs[1], epoch(again))
    assert not equal(epochs[0], epoch(other))
    assert first.state_dict() == {"epoch_seed": None, "position": 0, "rest": []}


def test_nothing_else_is_drawn():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    epoch(batches(Source()))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("stop", range(21))
def test_resumed_after_any_batch_the_same_rows_follow(stop):
    """In the middle of an iteration, between two of a block, between blocks and at the end of the epoch."""
    expected = epoch(batches(Source()))
    loader, found = batches(Source()), []
    for batch in loader:
        found.append(batch)
        if len(found) == stop + 1:
            break
    state = loader.state_dict()
    source = Source()
    resumed = batches(source, seed=99)
    resumed.load_state_dict(state)
    assert state["epoch_seed"] is not None
    found += epoch(resumed)
    assert equal(expected, found)
    assert resumed.state_dict() == {"epoch_seed": None, "position": 0, "rest": []}


def test_rows_in_use_are_not_made_again():
    """The rest of an iteration was adjusted with networks as they were: it is stored, not made anew."""
    loader = batches(Source())
    iterator = iter(loader)
    for _ in range(4):  # the first batch of the second iteration
        next(iterator)
    state = loader.state_dict()
    assert (state["position"], [len(part) for part in state["rest"]]) == (2, [5, 5])
    source = Source()
    resumed = batches(source)
    resumed.load_state_dict(state)
    epoch(resumed)
    assert source.used == source.orders[0][2:]
    assert source.blocks[0] == (0, 3)


def test_the_number_of_iterations_per_block_changes_no_order():
    orders = []
    for per_block in (1, 3, 50):
        source = Source()
        epoch(batches(source, per_block=per_block))
        orders.append(source.used)
    assert orders[0] == orders[1] == orders[2]


def test_iterations_without_rows_are_no_batches():
    loader = MixedBatches(
        iterations=2, rows=0, batch_size=3, make_block=lambda first, count, g: [(torch.zeros(0),)] * count,
        generator=torch.Generator(),
    )  # fmt: skip
    assert (len(loader), epoch(loader)) == (0, [])
