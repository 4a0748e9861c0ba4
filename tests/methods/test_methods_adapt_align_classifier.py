"""Adapt & Align classifier: what F and h learn from, CutMix, and that old classes are still answered."""

import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from recollect.engine.outputs import OutputMask
from recollect.generation.cutmix import Mixed, cut_images, cut_vectors
from recollect.models.aligned_classifier import feature_network

SMALL = {"latent": 2, "gen_d": 4, "global_epochs": 7, "feature_epochs": 3, "head_epochs": 2}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def make(tiny, benchmark, hyper=None, **train):
    train = {"epochs": 6, "lr": 0.01, **train}
    return tiny.strategy("adapt_align_classifier", benchmark, {**SMALL, **(hyper or {})}, **train)


def learn(strategy, benchmark, tasks):
    for experience in list(benchmark.train_stream)[:tasks]:
        strategy.train(experience, eval_streams=[])
    return strategy


def test_phases_of_generator_then_features_then_head(tiny, benchmark):
    strategy = make(tiny, benchmark)
    assert [p.name for p in strategy.phases()] == ["local", "features", "head"]
    learn(strategy, benchmark, 1)
    names = ["encoder", "local", "translator", "global", "features", "head"]
    assert [p.name for p in strategy.phases()] == names
    assert [(p.epochs, p.lr, p.lr_decay, p.weight_decay) for p in strategy.phases()[-2:]] == [
        (3, 0.001, 0.99, 1e-5),
        (2, 0.001, 0.99, 1e-5),
    ]


def caught(strategy, experience):
    """The mini-batches and losses of the features and head phases of an experience."""
    seen = {"features": [], "head": []}
    loss = strategy.training_loss

    def watched():
        value = loss()
        if strategy.phase.name in seen:
            parts = (list(strategy.mbatch), strategy.mixed, strategy.mb_output.detach(), float(value))
            seen[strategy.phase.name].append(parts)
        return value

    strategy.training_loss = watched
    strategy.train(experience, eval_streams=[])
    return seen


def test_rows_are_current_images_and_generations_of_all_classes_seen(tiny, benchmark):
    strategy = learn(make(tiny, benchmark), benchmark, 1)
    seen = caught(strategy, benchmark.train_stream[1])
    x, generated, y, target = (torch.cat(parts) for parts in zip(*(m for m, *_ in seen["features"]), strict=True))
    assert y[generated].unique().tolist() == [0, 1, 2, 3]
    assert y[~generated].unique().tolist() == [2, 3]
    assert int(generated.sum()) == 2 * int((~generated).sum())  # n_prev = batch * min(k + 1, 3) with k = 1
    real = benchmark.train_stream[1].dataset.ready_images
    assert {tuple(row) for row in x[~generated].flatten(1).tolist()} == {
        tuple(row) for row in real.gather(torch.arange(len(real))).flatten(1).tolist()
    }
    assert target.shape[1] == 8
    made = strategy.world.eval().pixels(strategy.world.network(target[generated]))
    torch.testing.assert_close(made, x[generated])


def test_losses_by_hand(tiny, benchmark):
    """lam-weighted squared errors for F; lam-weighted cross-entropy over the classes seen for h."""
    strategy = learn(make(tiny, benchmark), benchmark, 1)
    seen = caught(strategy, benchmark.train_stream[1])
    mask = OutputMask(6)
    mask.observe([0, 1, 2, 3])
    lams = []
    for phase in ("features", "head"):
        for (_, _, y, target), mixed, output, value in seen[phase]:
            lams.append(mixed.lam)
            own, other = torch.arange(len(y)), mixed.partner
            pair = [
                mse_loss(output, target[i]) if phase == "features" else cross_entropy(mask.apply(output), y[i])
                for i in (own, other)
            ]
            assert value == pytest.approx(float(mixed.lam * pair[0] + (1 - mixed.lam) * pair[1]), rel=1e-5)
    assert 0.2 < sum(lam == 1 for lam in lams) / len(lams) < 0.8


def test_a_cut_image_has_a_box_of_its_partner_of_the_area_it_says():
    torch.manual_seed(0)
    x = torch.arange(8.0)[:, None, None, None].expand(8, 1, 12, 10).clone()
    for _ in range(50):
        mixed, partner, lam = cut_images(x)
        foreign = (mixed != x) & (mixed == x[partner])
        changed = partner != torch.arange(8)
        share = foreign[changed].float().mean((1, 2, 3)) if changed.any() else torch.tensor([])
        torch.testing.assert_close(share, torch.full_like(share, 1 - lam))
        assert 0 <= lam <= 1


def test_a_cut_vector_has_a_contiguous_range_of_its_partner():
    torch.manual_seed(0)
    x = torch.arange(6.0)[:, None].expand(6, 20).clone()
    lams = []
    for _ in range(200):
        mixed, partner, lam = cut_vectors(x)
        lams.append(lam)
        for row in range(6):
            foreign = torch.nonzero(mixed[row] != row).flatten().tolist()
            if int(partner[row]) != row:
                assert len(foreign) == round(20 * (1 - lam))
                assert foreign == list(range(foreign[0], foreign[-1] + 1)) if foreign else True
                assert (mixed[row][foreign] == int(partner[row])).all()
    assert sum(lams) / 200 == pytest.approx(0.5, abs=0.08)  # Beta(1, 1) is uniform


def test_mixed_is_a_plain_tuple():
    assert Mixed(torch.zeros(1), torch.zeros(1), 0.5).lam == 0.5


def test_feature_networks_end_in_z():
    x = torch.rand(2, 3, 32, 32)
    for name in ("mlp400", "resnet18"):
        assert feature_network(name, (3, 32, 32), 24)(x).shape == (2, 24)


def test_answers_of_all_classes_after_the_last_task(tiny, benchmark, tmp_path):
    """Three tasks of two classes: the classifier still answers the first ones; naive has forgotten them."""
    hyper = {"latent": 3, "gen_d": 8, "global_epochs": 150, "global_decay": 1.0, "feature_epochs": 150}
    hyper |= {"head_epochs": 60, "local_decay": 1.0, "classifier_decay": 1.0}
    accuracy = {}
    for method, chosen, train in (
        ("adapt_align_classifier", {**SMALL, **hyper}, {"epochs": 100, "lr": 0.01}),
        ("naive", {}, {"epochs": 50}),
    ):
        run = tiny.runner(tmp_path / method, method, benchmark, hyper=chosen, **train)
        run.run()
        right = []
        for experience in benchmark.test_stream:
            images = experience.dataset.ready_images
            scores = run.outputs.apply(run.strategy.scores(images.gather(torch.arange(len(images)))), None)
            right.append(float((scores.argmax(1) == images.labels).float().mean()))
        accuracy[method] = right
    assert sum(accuracy["adapt_align_classifier"][:2]) >= 1, accuracy
    assert sum(accuracy["naive"][:2]) < 0.5, accuracy
