"""The losses beside cross-entropy: alignment with the joint representation and preservation of relations.

Their form is a project decision: the paper's text was not at hand, a summary names the ideas.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, normalize

from recollect.multimodal.encoder import Representation

JOINT = "joint representation"


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE: row i of ``a`` belongs to row i of ``b``, the other rows are negatives; (n, d) each."""
    similarity = normalize(a, dim=1) @ normalize(b, dim=1).T / temperature
    same = torch.arange(len(a), device=a.device)
    return (cross_entropy(similarity, same) + cross_entropy(similarity.T, same)) / 2


def _mean(terms: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(terms).mean() if terms else like.new_zeros(())


def alignment_loss(now: Representation, maps: nn.ModuleDict, temperature: float) -> Tensor:
    """Mean over modalities of InfoNCE between q_m(z_m) and z_J, among the samples that have the modality.

    Modalities are never contrasted with each other, and the map q_m leaves z_m free to keep its own cluster.
    """
    terms = []
    for name, z in now.unimodal.items():
        here = now.present[name]
        if int(here.sum()) > 1:  # one sample has no negatives
            terms.append(info_nce(maps[name](z[here]), now.joint[here], temperature))
    return _mean(terms, now.joint)


def standard_contrastive_loss(now: Representation, temperature: float) -> Tensor:
    """The ablation: mean over pairs of modalities of InfoNCE between z_m and z_n themselves."""
    terms = []
    for m, n in combinations(now.unimodal, 2):
        both = now.present[m] & now.present[n]
        if int(both.sum()) > 1:
            terms.append(info_nce(now.unimodal[m][both], now.unimodal[n][both], temperature))
    return _mean(terms, now.joint)


def _spaces(r: Representation) -> dict[str, tuple[Tensor, Tensor]]:
    """Every space as (unit vectors, who is in it)."""
    everyone = torch.ones(len(r.joint), dtype=torch.bool, device=r.joint.device)
    found: Mapping[str, tuple[Tensor, Tensor]] = {
        **{name: (z, r.present[name]) for name, z in r.unimodal.items()}, JOINT: (r.joint, everyone),
    }  # fmt: skip
    return {name: (normalize(z, dim=1), here) for name, (z, here) in found.items()}


def preservation_loss(now: Representation, before: Representation, temperature: float) -> Tensor:
    """KL between the teacher's relations and the student's, mean over rows and over all ordered pairs of spaces.

    Relations between spaces a and b: rows softmax_j(cos(z_a(i), z_b(j)) / temperature), among samples that are in
    both spaces.

    Args:
        now, before: student's and teacher's representations of the same samples.
    """
    new, old = _spaces(now), _spaces(before)
    terms = []
    for a, b in product(new, repeat=2):
        i, j = new[a][1], new[b][1]
        if not (i.any() and j.any()):
            continue
        student = (new[a][0][i] @ new[b][0][j].T / temperature).log_softmax(dim=1)
        teacher = (old[a][0][i] @ old[b][0][j].T / temperature).log_softmax(dim=1)
        terms.append(kl_div(student, teacher, reduction="batchmean", log_target=True))
    return _mean(terms, now.joint)
