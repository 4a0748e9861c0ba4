"""The losses against cases worked by hand, and what must vanish."""

import math

import pytest
import torch
from torch import nn

from recollect.multimodal.encoder import Representation
from recollect.multimodal.losses import alignment_loss, info_nce, preservation_loss, standard_contrastive_loss
from recollect.multimodal.options import LossOptions


def representation(n=6, d=4, missing=(), seed=0):
    draw = torch.Generator().manual_seed(seed)
    z = {name: torch.randn(n, d, generator=draw) for name in "ab"}
    present = {name: torch.ones(n, dtype=torch.bool) for name in "ab"}
    for name, row in missing:
        present[name][row] = False
        z[name][row] = 0
    return Representation(z, torch.randn(n, d, generator=draw), [], present)


def part(r, rows):
    return Representation(
        {k: v[rows] for k, v in r.unimodal.items()}, r.joint[rows], [], {k: v[rows] for k, v in r.present.items()}
    )


def identity(d=4):
    maps = nn.ModuleDict({name: nn.Linear(d, d) for name in "ab"})
    for layer in maps.values():
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    return maps


def test_info_nce_by_hand():
    """Two orthogonal pairs at temperature 1: odds e : 1 for the own partner; scale does not matter."""
    a = torch.eye(2) * torch.tensor([[3.0], [5.0]])
    assert info_nce(a, torch.eye(2), 1.0).item() == pytest.approx(math.log(1 + 1 / math.e))
    assert info_nce(a, torch.eye(2).flip(0), 1.0).item() == pytest.approx(math.log(1 + math.e))


def test_alignment_is_with_the_joint_representation_and_never_between_modalities():
    r = representation()
    moved = Representation({"a": r.joint * 2, "b": r.joint.clone()}, r.joint, [], r.present)
    expected = info_nce(r.joint, r.joint, 0.07)
    assert alignment_loss(moved, identity(), 0.07).item() == pytest.approx(expected.item())
    maps = identity()
    nn.init.zeros_(maps["b"].weight)  # a map can absorb what keeps a modality apart
    nn.init.ones_(maps["b"].bias)
    assert alignment_loss(moved, maps, 0.07) > expected
    direct = standard_contrastive_loss(moved, 0.07)
    assert direct.item() == pytest.approx(expected.item())


def test_a_teacher_that_is_the_student_preserves_everything():
    r = representation(missing=[("b", 1)])
    assert preservation_loss(r, r, 0.1).item() == pytest.approx(0.0, abs=1e-6)
    assert preservation_loss(representation(seed=1), r, 0.1) > 0.01


def test_preservation_by_hand():
    """One modality, two samples. Teacher: orthogonal vectors; student: equal ones; temperature 1."""
    here = {"a": torch.ones(2, dtype=torch.bool)}
    old = Representation({"a": torch.eye(2)}, torch.eye(2), [], here)
    same = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    new = Representation({"a": same}, same, [], here)
    p = math.e / (1 + math.e)
    expected = p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    assert preservation_loss(new, old, 1.0).item() == pytest.approx(expected, rel=1e-5)


def test_preservation_keeps_relations_and_leaves_rotations_free():
    r = representation()
    q, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(3)))
    turned = Representation({k: 3 * z @ q for k, z in r.unimodal.items()}, r.joint @ q, [], r.present)
    assert preservation_loss(turned, r, 0.1).item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("loss", ["alignment", "standard", "preservation"])
def test_samples_without_a_modality_change_nothing_for_the_terms_of_that_modality(loss):
    """b is missing in row 0: terms with b are those of the other rows, whatever stands in its place."""
    r, old = representation(missing=[("b", 0)]), representation(missing=[("b", 0)], seed=4)
    garbled = Representation({**r.unimodal, "b": r.unimodal["b"].clone()}, r.joint, [], r.present)
    garbled.unimodal["b"][0] = 7.0
    maps = identity()
    of = {
        "alignment": lambda x: alignment_loss(x, maps, 0.07),
        "standard": lambda x: standard_contrastive_loss(x, 0.07),
        "preservation": lambda x: preservation_loss(x, old, 0.1),
    }[loss]
    assert torch.equal(of(r), of(garbled))
    rest = slice(1, None)
    if loss == "standard":
        assert torch.equal(of(r), of(part(r, rest)))
    if loss == "alignment":
        with_b = info_nce(r.unimodal["b"][rest], r.joint[rest], 0.07)
        with_a = info_nce(r.unimodal["a"], r.joint, 0.07)
        torch.testing.assert_close(of(r), (with_a + with_b) / 2)


def test_a_modality_that_nobody_has_gives_no_term_and_no_nan():
    nobody = representation(missing=[("b", row) for row in range(6)])
    assert alignment_loss(nobody, identity(), 0.07).item() == pytest.approx(
        info_nce(nobody.unimodal["a"], nobody.joint, 0.07).item()
    )
    assert standard_contrastive_loss(nobody, 0.07).item() == 0.0
    assert preservation_loss(nobody, nobody, 0.1).item() == pytest.approx(0.0, abs=1e-6)


def test_distillation_grows_with_the_root_of_the_task_number():
    assert [LossOptions(distill_weight=2.0).distillation_weight(t) ** 2 for t in range(3)] == pytest.approx(
        [4, 8, 12]
    )
    assert LossOptions(count_from=0).distillation_weight(1) == 1.0
    assert LossOptions(grows=False).distillation_weight(7) == 1.0
