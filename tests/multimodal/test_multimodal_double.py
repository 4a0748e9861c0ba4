"""The label is the exclusive or of two bits, one in each modality: who can learn it, and who forgets it.

Three tasks of two classes on two frozen random transformers; outputs of the own task answer, so that forgetting is
that of representations and not the bias towards the newest classes, which without a memory hides all else.
Naive is the same training without the parts that keep or align anything: another optimizer, as that of the
baseline of this name, changes forgetting as much as these parts do (docs/mmcl.md).
"""

import numpy as np
import pytest

SEEDS = (0, 1, 2, 3)
SETTINGS = {"epochs": 12}
RUNS = {
    "mmcl": ({}, {}),
    "modality_specific": ({}, {"mm_adapter": "modality_specific"}),
    "naive": ({"freeze": "none", "distill_weight": 0.0, "preserve_weight": 0.0, "align": "none"}, {}),
}
"""Name -> hyper-parameters and training settings of MMCL."""


@pytest.fixture(scope="module")
def matrices(paired, tmp_path_factory):
    """R by method, mean over seeds."""
    benchmark = paired.benchmark(protocol="task-incremental")
    found = {}
    for name, (hyper, train) in RUNS.items():
        each = []
        for seed in SEEDS:
            folder = tmp_path_factory.mktemp(f"{name}{seed}")
            paired.runner(folder, "mmcl", benchmark, hyper=hyper, seed=seed, **SETTINGS, **train).run()
            each.append(paired.accuracy(benchmark, folder))
        found[name] = np.mean(each, axis=0)
    return found


def forgetting(R):
    return float(np.mean([R[i:, i].max() - R[-1, i] for i in range(len(R) - 1)]))


@pytest.mark.slow
def test_freezing_and_distillation_forget_less_than_naive(matrices):
    assert forgetting(matrices["mmcl"]) < forgetting(matrices["naive"]) - 0.1
    assert matrices["mmcl"][-1].mean() > matrices["naive"][-1].mean()


@pytest.mark.slow
def test_cross_modality_experts_beat_modality_specific_ones(matrices):
    """Half of the answers are right by chance."""
    just_learnt = {name: R.diagonal().mean() for name, R in matrices.items()}
    assert just_learnt["mmcl"] > just_learnt["modality_specific"] + 0.1
    assert matrices["mmcl"][-1].mean() > matrices["modality_specific"][-1].mean() + 0.1
