"""Blocks, gate, experts and adapter against cases worked by hand and against plain loops."""

import math

import pytest
import torch
from torch.nn.functional import gelu

from recollect.errors import RecollectError
from recollect.multimodal.adapter import Adapter, AdapterOptions
from recollect.multimodal.blocks import common_blocks, spread
from recollect.multimodal.experts import COMPUTE, Expert, others
from recollect.multimodal.freezing import Usage, fresh_needed
from recollect.multimodal.gate import agreement, gate_input, gate_weights


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Layers over blocks ------------------------------------------------------------------------------


def test_twelve_twelve_and_four_layers_make_four_blocks_of_three_three_and_one():
    found = common_blocks({"video": 12, "audio": 12, "imu": 4})
    assert found["video"] == found["audio"] == [range(3), range(3, 6), range(6, 9), range(9, 12)]
    assert found["imu"] == [range(1), range(1, 2), range(2, 3), range(3, 4)]


@pytest.mark.parametrize(
    ("depth", "blocks", "sizes"), [(7, 3, [2, 2, 3]), (8, 3, [2, 3, 3]), (4, 4, [1, 1, 1, 1])]
)
def test_the_surplus_goes_to_the_last_blocks(depth, blocks, sizes):
    assert [len(b) for b in spread(depth, blocks)] == sizes
    assert [len(b) for b in spread(depth, blocks, "first")] == sizes[::-1]


@pytest.mark.parametrize("depth", range(1, 20))
def test_every_layer_stands_in_one_block_in_order(depth):
    for n in range(1, depth + 1):
        found = spread(depth, n)
        assert [layer for block in found for layer in block] == list(range(depth))
        assert {len(b) for b in found} <= {depth // n, -(-depth // n)}


def test_more_blocks_than_layers_are_refused():
    with pytest.raises(RecollectError, match="2 layers cannot be spread over 3 blocks"):
        spread(2, 3)


# Gate --------------------------------------------------------------------------------------------


def test_gate_by_hand():
    """Odds 1 : 2 : 3 : 4, the two largest are 3/10 and 4/10, renormalised 3/7 and 4/7."""
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 1.5, 2.0]]).log()
    torch.testing.assert_close(gate_weights(logits, 2)[0], torch.tensor([0, 0, 3 / 7, 4 / 7]))
    torch.testing.assert_close(gate_weights(logits, 2)[1], torch.tensor([4 / 6, 0, 0, 2 / 6]))
    torch.testing.assert_close(gate_weights(logits, 2, renormalise=False)[0], torch.tensor([0, 0, 0.3, 0.4]))
    torch.testing.assert_close(gate_weights(logits, 4)[0], torch.tensor([0.1, 0.2, 0.3, 0.4]))


def test_the_gate_sees_token_means_and_zeros_for_what_is_missing():
    tokens = {"a": torch.tensor([[[1.0], [3.0]], [[5.0], [7.0]]]), "b": torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])}
    present = {"a": torch.tensor([True, False]), "b": torch.tensor([True, True])}
    assert gate_input(tokens, present).tolist() == [[2.0, 1.0, 2.0], [0.0, 3.0, 4.0]]


def test_agreement_by_hand():
    before = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.4, 0.6]])
    now = torch.tensor([[0.1, 0.9, 0.0, 0.0], [0.0, 0.4, 0.0, 0.6]])  # the second went to a fresh expert
    assert agreement([now], [before]) == [0.5]
    assert agreement([before], [before]) == [1.0]


@pytest.mark.parametrize(("experts", "top_k"), [(2, 3), (4, 0)])
def test_more_experts_than_exist_are_refused(experts, top_k):
    with pytest.raises(RecollectError, match=f"top_k is {top_k} and there are {experts} experts"):
        AdapterOptions(experts=experts, top_k=top_k)


# Experts -----------------------------------------------------------------------------------------


def test_attention_by_hand():
    """Rank 1: one token attends to two of the other modality, with logits 2 ln 2 and 0: weights 4/5, 1/5."""
    h = {"a": torch.tensor([[[2.0]]]), "b": torch.tensor([[[math.log(2)], [0.0]]])}
    here = {"a": torch.tensor([True]), "b": torch.tensor([True])}
    torch.testing.assert_close(others(h, here, "a", 1), torch.tensor([[[0.8 * math.log(2)]]]))
    # From b, both tokens see the single token of a.
    assert others(h, here, "b", 1).tolist() == [[[2.0], [2.0]]]


def test_attention_is_the_mean_over_the_other_modalities_that_are_there():
    h = {name: torch.tensor([[[value]], [[value]]]) for name, value in (("a", 1.0), ("b", 3.0), ("c", 5.0))}
    here = {name: torch.tensor([True, True]) for name in "ab"} | {"c": torch.tensor([True, False])}
    assert others(h, here, "a", 1).tolist() == [[[4.0]], [[3.0]]]
    nobody = {name: torch.tensor([False, False]) for name in "abc"}
    assert others(h, nobody, "a", 1).tolist() == [[[0.0]], [[0.0]]]
    assert others({"a": h["a"]}, here, "a", 1) == 0.0


DIMS = {"a": 6, "b": 4, "c": 5}


def case(n=9, experts=5, top_k=2, missing=True, seed=0):
    draw = seeded(seed)
    tokens = {name: torch.randn(n, 3 + i, d, generator=draw) for i, (name, d) in enumerate(DIMS.items())}
    present = {name: torch.rand(n, generator=draw) > (0.3 if missing else -1) for name in DIMS}
    made = [Expert(DIMS, 3, draw, zero_init=False) for _ in range(experts)]
    weights = gate_weights(torch.randn(n, experts, generator=draw), top_k)
    return made, tokens, present, weights


def by_loops(experts, tokens, present, weights, cross):
    """The formulas one sample, expert and pair of modalities at a time."""
    made = {name: torch.zeros_like(x) for name, x in tokens.items()}
    for i in range(len(weights)):
        for e, expert in enumerate(experts):
            h = {name: x[i] @ expert.down[name] for name, x in tokens.items()}
            for m in tokens:
                heard = [
                    torch.softmax(h[m] @ h[n].T / math.sqrt(h[m].shape[1]), dim=1) @ h[n]
                    for n in tokens
                    if n != m and present[n][i]
                ]
                c = sum(heard) / len(heard) if heard and cross else 0
                made[m][i] += weights[i, e] * (gelu(h[m] + c) @ expert.up[m])
    return made


@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("compute", COMPUTE.values(), ids=COMPUTE)
def test_all_ways_of_computing_equal_the_loops(compute, cross):
    arguments = case()
    found, expected = compute(*arguments, cross), by_loops(*arguments, cross)
    for name in DIMS:
        torch.testing.assert_close(found[name], expected[name], atol=1e-6, rtol=1e-5)


def test_all_ways_have_the_same_gradients():
    grads = []
    for compute in COMPUTE.values():
        experts, tokens, present, weights = case()
        weights.requires_grad_(True)
        sum(x.square().sum() for x in compute(experts, tokens, present, weights, True).values()).backward()
        grads.append(
            [weights.grad * (weights > 0), *(p.grad for e in experts for p in (*e.down.values(), *e.up.values()))]
        )
    for a, *others_of_it in zip(*grads, strict=True):
        for b in others_of_it:
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("compute", COMPUTE.values(), ids=COMPUTE)
def test_what_a_sample_lacks_changes_nothing_for_the_others(compute):
    experts, tokens, present, weights = case(missing=False)
    whole = compute(experts, tokens, present, weights, True)
    lacking = {**present, "b": present["b"].clone()}
    lacking["b"][2] = False
    garbled = {**tokens, "b": tokens["b"].clone()}
    garbled["b"][2] = 1e3
    found = compute(experts, garbled, lacking, weights, True)
    rest = torch.arange(9) != 2
    for name in DIMS:
        assert torch.equal(found[name][rest], whole[name][rest])
    assert not torch.equal(found["a"][2], whole["a"][2])
    # What stands in the place of the missing modality is not heard by the present ones.
    zeroed = {**garbled, "b": garbled["b"].clone()}
    zeroed["b"][2] = 0
    again = compute(experts, zeroed, lacking, weights, True)
    assert torch.equal(again["a"][2], found["a"][2])


# Adapter -----------------------------------------------------------------------------------------


def adapter(seed=0, **options):
    return Adapter(DIMS, AdapterOptions(**{"rank": 3, **options}), seeded(seed))


def test_a_fresh_adapter_adds_nothing():
    _, tokens, present, _ = case()
    delta, weights = adapter()(tokens, present)
    assert all(not d.any() for d in delta.values())
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(9))
    assert ((weights > 0).sum(dim=1) == 2).all()


def test_the_modality_specific_adapter_hears_nothing_of_the_others():
    _, tokens, present, _ = case()
    changed = {**tokens, "b": tokens["b"] + 1}
    for kind, equal in (("modality_specific", True), ("cross_modality", False)):
        made = adapter(kind=kind, zero_init=False, experts=1, top_k=1)
        assert torch.equal(made(tokens, present)[0]["a"], made(changed, present)[0]["a"]) == equal


def test_a_state_with_more_experts_is_put_back_with_its_frozen_ones():
    old, new = adapter(0, zero_init=False), adapter(1)
    old.grow(3, seeded(5))
    old.experts[1].freeze()
    new.load_state_dict(old.state_dict())
    assert len(new) == 7
    assert new.frozen() == [False, True] + [False] * 5
    assert [any(p.requires_grad for p in e.parameters()) for e in new.experts] == [True, False] + [True] * 5
    _, tokens, present, _ = case()
    for name, delta in new(tokens, present)[0].items():
        assert torch.equal(delta, old(tokens, present)[0][name])
    small = adapter(2)
    new.load_state_dict(small.state_dict())
    assert len(new) == 4
    assert not any(new.frozen())


def test_auto_gathers_unless_all_experts_run():
    assert adapter(compute="auto").compute == "gathered"
    made = adapter(compute="auto", experts=2)
    assert made.compute == "dense"
    made.grow(1, seeded())
    assert made.compute == "gathered"
    assert adapter(compute="routed").compute == "routed"


# Freezing ----------------------------------------------------------------------------------------


def test_usage_and_freezing_by_hand():
    """Two batches of two and one samples: means (0.5, 0.3, 0.2, 0) of four experts, threshold 1/4."""
    usage = Usage()
    usage.add([torch.tensor([[0.7, 0.3, 0.0, 0.0], [0.4, 0.0, 0.6, 0.0]])])
    usage.add([torch.tensor([[0.4, 0.6, 0.0, 0.0]])])
    assert usage.means()[0] == pytest.approx([0.5, 0.3, 0.2, 0.0])
    assert usage.used("threshold") == [[True, True, False, False]]
    assert usage.used("threshold", 0.4) == [[True, False, False, False]]
    assert usage.used("ever_selected") == [[True, True, True, False]]
    assert usage.used("none") == [[False] * 4]
    again = Usage()
    again.load_state_dict(usage.state_dict())
    assert again.means() == usage.means()


@pytest.mark.parametrize(("frozen", "expected"), [([True, True, False, False], 0), ([True, True, True, False], 2)])
def test_fresh_experts_come_where_fewer_than_k_are_left(frozen, expected):
    assert fresh_needed(frozen, top_k=2, fresh=2) == expected
