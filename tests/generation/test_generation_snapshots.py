"""Networks as named tensors and back, and copies that never change."""

import pytest
import torch
from torch import nn

from recollect.generation.snapshots import frozen, pack, unpack


def net(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_pack_names_tensors_by_network():
    a, b = net(0), net(1)
    packed = pack({"world": a, "local": b})
    assert {name.split(".")[0] for name in packed} == {"world", "local"}
    assert len(packed) == 2 * len(a.state_dict())
    assert torch.equal(packed["local.0.weight"], b[0].weight)


def test_unpack_puts_back_what_was_packed():
    a, b, other = net(0), net(1), net(2)
    packed = {name: tensor.clone() for name, tensor in pack({"world": a, "world2": b}).items()}
    unpack({**packed, "ones": torch.ones(2)}, {"world": other})
    assert all(torch.equal(t, other.state_dict()[name]) for name, t in a.state_dict().items())


def test_a_missing_tensor_is_told():
    packed = pack({"world": net(0)})
    del packed["world.0.bias"]
    with pytest.raises(RuntimeError, match=r"Missing key.*0\.bias"):
        unpack(packed, {"world": net(1)})


def test_a_frozen_copy_stays():
    network = net(0).train()
    copy = frozen(network)
    before = {name: tensor.clone() for name, tensor in copy.state_dict().items()}
    with torch.no_grad():
        network[0].weight += 1
    network(torch.randn(8, 3))
    copy(torch.randn(8, 3))
    assert all(torch.equal(tensor, copy.state_dict()[name]) for name, tensor in before.items())
    assert not copy.training
    assert network.training
    assert not any(p.requires_grad for p in copy.parameters())
    assert all(p.requires_grad for p in network.parameters())
