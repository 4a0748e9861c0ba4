"""A resolved method and the facts of a scenario become the strategy that its file builds."""

import torch

from recollect.engine.building import build_strategy
from recollect.engine.outputs import OutputMask

TRAIN = {"epochs": 3, "batch_size": 7, "lr": 0.02, "width": 5, "depth": 1}


def built(file="naive", seed=4, **method):
    torch.manual_seed(0)
    return build_strategy(
        {"file": file, "train": TRAIN, "hyper": {}, **method}, OutputMask(6, "seen"), input_shape=(1, 8, 8),
        n_tasks=3, value_range=(0.0, 6.5), device=torch.device("cpu"), seed=seed,
    )  # fmt: skip


def test_settings_reach_the_strategy():
    strategy = built()
    assert (strategy.train_epochs, strategy.train_mb_size) == (3, 7)
    assert strategy.optimizer.param_groups[0]["lr"] == 0.02
    assert strategy.outputs.n_classes == 6
    assert strategy.model(torch.zeros(2, 1, 8, 8)).shape == (2, 6)
    assert strategy.generator.initial_seed() == 4


def test_arguments_of_the_method_reach_it():
    strategy = built("adapt_align_gan", hyper={"latent": 9, "features": 2, "critic_steps": 3})
    assert strategy.latent == 9
    assert strategy.schedule.critic_steps == 3
    assert strategy.schedule.local_epochs == 3
    assert strategy.model.generator.embedding.num_embeddings == 3
    assert (strategy.low, strategy.width) == (0.0, 6.5)


def test_weights_follow_from_the_random_state_and_the_seed_only_from_the_argument():
    one, other = built(seed=1), built(seed=2)
    pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert one.generator.initial_seed() != other.generator.initial_seed()
