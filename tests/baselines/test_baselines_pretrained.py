"""Comparators on pre-trained backbones: the core of each on a case worked by hand."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

from recollect.pretrained.heads import TaskHeads, positions, spread
from recollect.pretrained.prototypes import Prototypes, class_means, cosine

TINY = {"backbone": "vit_tiny", "pretrained": False}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def learn(tiny, benchmark, method, hyper, tasks=(0,), **train):
    made = tiny.strategy(method, benchmark, {**TINY, **hyper}, **{"lr": 0.05, "momentum": 0.9, **train})
    for task in tasks:
        made.train(benchmark.train_stream[task], eval_streams=[])
    return made


def test_prototypes_are_means_compared_by_cosine():
    made = Prototypes()
    features = torch.tensor([[2.0, 0.0], [4.0, 0.0], [0.0, 3.0]])
    made.add(features, torch.tensor([5, 5, 2]), [2, 5])
    assert made.matrix.tolist() == [[0.0, 3.0], [3.0, 0.0]]
    scores = spread(made.scores(torch.tensor([[1.0, 1.0]])), made.classes, 6)
    assert scores[0, [2, 5]].tolist() == pytest.approx([math.sqrt(0.5)] * 2)
    assert torch.isinf(scores[0, [0, 1, 3, 4]]).all()


def test_heads_have_no_bias_and_stand_at_the_numbers_of_their_classes():
    heads = TaskHeads(2, 5)
    heads.add([3, 1], torch.Generator().manual_seed(0))
    heads.add([4], torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.weights[0].copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        heads.weights[1].copy_(torch.tensor([[2.0, 2.0]]))
    scores = heads(torch.tensor([[5.0, 7.0]]))[0].tolist()
    assert scores == [-math.inf, 7.0, -math.inf, 5.0, 24.0]
    assert heads.seen() == [3, 1, 4]
    assert positions([3, 1], 5).tolist() == [-1, 1, -1, 0, -1]
    assert len(list(heads.parameters())) == 2


def test_simplecil_is_the_nearest_mean_of_bare_features(tiny, benchmark):
    made = learn(tiny, benchmark, "simplecil", {}, tasks=(0, 1, 2))
    assert sum(p.numel() for p in made.model.parameters()) == 0
    x = torch.rand(5, 1, 6, 6)
    features = made.model.backbone.features(x)
    images = benchmark.train_stream[0].dataset.ready_images
    means = class_means(
        made.model.backbone.features(images.gather(torch.arange(len(images)))), images.labels, [0, 1]
    )
    torch.testing.assert_close(made.scores(x)[:, :2], cosine(features, means))


def test_aper_puts_bare_and_adapted_features_side_by_side_and_adapts_once(tiny, benchmark):
    for peft in ("adapter", "finetune", "ssf"):
        made = learn(tiny, benchmark, "aper", {"peft": peft, "adapter_width": 3})
        x = torch.rand(4, 1, 6, 6)
        bare = tiny.strategy("simplecil", benchmark, TINY).model.backbone.features(x)
        both = made.represent(x)
        torch.testing.assert_close(both[:, :16], bare)
        assert not torch.allclose(both[:, 16:], bare)
        before = made.model.adapted()
        made.train(benchmark.train_stream[1], eval_streams=[])
        assert all(torch.equal(v, before[k]) for k, v in made.model.adapted().items())
        assert made.prototypes.matrix.shape == (4, 32)


def test_ease_synthesises_old_prototypes_from_similar_new_ones():
    from baselines.ease import subspace_logits, synthesised

    old = torch.tensor([[1.0, 0.0]])
    new_there = torch.tensor([[3.0, 0.0], [0.0, 2.0]])  # cosines with the old one: 1 and 0
    new_here = torch.tensor([[10.0], [20.0]])
    weight = math.e / (math.e + 1)
    assert synthesised(old, new_there, new_here).item() == pytest.approx(10 * weight + 20 * (1 - weight))
    features = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    prototypes = [torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 1.0], [0.0, -1.0]])]
    own = torch.tensor([0, 1])
    found = subspace_logits(features, prototypes, own, alpha=0.2)
    # class 0: own cosine 1, other 1; class 1: own cosine -1, other cos 45 degrees; others weigh 0.2 / 2
    assert found[0].tolist() == pytest.approx([1 + 0.1, -1 + 0.1 * math.sqrt(0.5)])


def test_ease_keeps_earlier_adapters_and_starts_each_from_nothing(tiny, benchmark):
    made = learn(tiny, benchmark, "ease", {"adapter_width": 3})
    first = {k: v.clone() for k, v in made.model.bank[0].state_dict().items()}
    made.train(benchmark.train_stream[1], eval_streams=[])
    assert all(torch.equal(v, first[k]) for k, v in made.model.bank[0].state_dict().items())
    assert len(made.model.bank) == 2
    assert [p.shape for p in made.prototypes] == [(4, 16)] * 2
    assert made.own_subspace().tolist() == [0, 0, 1, 1]


def test_mos_pulls_towards_the_mean_of_old_adapters():
    from baselines.mos import mean_contrast, pull

    current = [torch.tensor([10.0, 0.0])]
    pull(current, [[torch.tensor([0.0, 2.0])], [torch.tensor([4.0, 6.0])]], momentum=0.1)
    assert current[0].tolist() == pytest.approx([0.9 * 10 + 0.1 * 2, 0.1 * 4])
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    expected = cross_entropy(torch.tensor([[1.25, 0.0], [0.0, 5.0]]), torch.tensor([0, 1]))
    torch.testing.assert_close(mean_contrast(rows[:1], rows[1:]), expected)
    torch.testing.assert_close(mean_contrast(None, rows), expected)


def test_mos_answers_with_the_adapter_of_the_task_that_it_believes_in(tiny, benchmark):
    made = learn(tiny, benchmark, "mos", {"adapter_width": 3, "align": "none"}, tasks=(0, 1))
    x = torch.rand(6, 1, 6, 6)
    backbone, heads = made.model.backbone, made.model.heads
    logits = [heads.joined(backbone.features(x, adapter)) for adapter in made.model.bank]
    cosines = cosine(backbone.features(x), made.prototypes.matrix)
    expected = []
    for i in range(len(x)):
        at = int(cosines[i].argmax()) // 2
        for _ in range(3):  # the first adapter and three more
            at = int(logits[at][i].argmax()) // 2
        expected.append(softmax(logits[at][i], dim=0))
    frozen = softmax(2 * cosines, dim=1)  # two tasks
    torch.testing.assert_close(made.scores(x)[:, heads.seen()], torch.stack(expected) + frozen)


def test_mos_asks_as_many_adapters_as_it_may(tiny, benchmark):
    """Adapters that always point to the other task would go round for ever."""
    made = learn(tiny, benchmark, "mos", {"adapter_width": 3, "align": "none", "rounds": 3}, tasks=(0, 1))
    asked = []
    made._adapter = lambda task: asked.append(task) or made.model.bank[task]
    made.model.heads.joined = lambda features: torch.tensor([[0.0, 0.0, 9.0, 0.0]]) * (1 if asked[-1] == 0 else -1)
    made.scores(torch.rand(1, 1, 6, 6))
    assert asked in ([0, 1, 0], [1, 0, 1])


def test_mos_learns_heads_at_a_tenth_of_the_rate(tiny, benchmark):
    made = learn(tiny, benchmark, "mos", {"adapter_width": 3, "align": "none"})
    adapter, head = made.trained()
    assert "lr" not in adapter
    assert head["lr"] == pytest.approx(0.1 * made.setting.train.lr)
    assert len(head["params"]) == 2  # weight and bias


def test_slca_learns_the_backbone_slowly(tiny, benchmark):
    made = learn(tiny, benchmark, "slca", {"align_samples": 4, "align_epochs": 1, "backbone_lr": 0.0})
    fresh = tiny.strategy("slca", benchmark, TINY, lr=0.05)
    moved = made.model.adapted()
    # without learning rate nothing but the head moves (weight decay included)
    assert all(torch.equal(v, moved[k]) for k, v in fresh.model.adapted().items())
    assert made.model.heads.biases[0].abs().sum() > 0


def test_ranpac_is_ridge_regression_on_all_data_at_once():
    from baselines.ranpac import RIDGES, best_ridge, ridge_weights

    h, y = torch.rand(30, 4), torch.nn.functional.one_hot(torch.randint(3, (30,)), 3).float()
    (found,) = ridge_weights(h.T @ h, h.T @ y, (0.5,))
    augmented = torch.cat([h, math.sqrt(0.5) * torch.eye(4)])
    expected = torch.linalg.lstsq(augmented, torch.cat([y, torch.zeros(4, 3)])).solution
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    errors = []
    for ridge in RIDGES:
        (w,) = ridge_weights(h[:24].T @ h[:24], h[:24].T @ y[:24], (ridge,))
        errors.append(((h[24:] @ w - y[24:]) ** 2).mean().item())
    assert best_ridge(h, y, torch.arange(30)) == RIDGES[errors.index(min(errors))]


def test_ranpac_after_all_tasks_equals_one_pass_over_everything(tiny, benchmark):
    made = learn(tiny, benchmark, "ranpac", {"adapter_width": 3, "projected": 7}, tasks=(0, 1, 2))
    images = [e.dataset.ready_images for e in benchmark.train_stream]
    h = torch.cat([made.projected(made.represent(i.gather(torch.arange(len(i))))) for i in images])
    labels = torch.cat([i.labels for i in images])
    torch.testing.assert_close(made.G, h.T @ h, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(made.C, h.T @ torch.nn.functional.one_hot(labels, 6).float(), rtol=1e-4, atol=1e-3)


def test_fetril_moves_features_of_the_most_similar_new_class():
    from baselines.fetril import translated

    means = torch.tensor([[1.0, 1.0], [0.0, 4.0], [5.0, 0.0]])  # old; new 1, new 2
    means[0] = torch.tensor([0.5, 3.0])  # most similar to new class 1
    features = torch.tensor([[0.0, 3.0], [0.0, 5.0], [5.0, 1.0]])
    rows, labels = translated(features, torch.tensor([1, 1, 2]), means, 2)
    assert labels.tolist() == [1, 1, 2, 0, 0]
    assert rows[3:].tolist() == [[0.5, 2.0], [0.5, 4.0]]


def test_discriminants_of_shared_covariance():
    from baselines.first_session_adaptation import lda_scores

    means, covariance = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.diag(torch.tensor([4.0, 1.0]))
    # class 0: x1 * 2 / 4 - 4 / 8; class 1: x2 * 2 - 4 / 2
    assert lda_scores(torch.tensor([[1.0, 3.0]]), means, covariance)[0].tolist() == pytest.approx([0.0, 4.0])


def test_first_session_adaptation_sums_scatter_over_tasks(tiny, benchmark):
    made = learn(tiny, benchmark, "first_session_adaptation", {}, tasks=(0, 1))
    expected = torch.zeros(16, 16)
    for experience in list(benchmark.train_stream)[:2]:
        images = experience.dataset.ready_images
        features = made.represent(images.gather(torch.arange(len(images))))
        for c in experience.classes_in_this_experience:
            mine = features[images.labels == c]
            expected += (len(mine) - 1) * mine.T.cov()
    torch.testing.assert_close(made.scatter, expected.detach(), rtol=1e-3, atol=1e-3)


def test_l2p_takes_the_prompts_of_the_nearest_keys():
    from baselines.l2p import PromptPool

    pool = PromptPool(dim=2, pool=3, length=1, chosen=2, key_weight=0.5, first=0)
    with torch.no_grad():
        pool.keys.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
        pool.prompts.copy_(torch.tensor([[[1.0, 1.0]], [[2.0, 2.0]], [[3.0, 3.0]]]))
    pool.choose(torch.tensor([[2.0, 1.0]]), training=True)
    assert pool.current[0].tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert pool.extra.item() == pytest.approx(-0.5 * (2 + 1) / math.sqrt(5) / 2)
    tokens = pool.enter(torch.zeros(1, 4, 2))
    assert tokens[0, :, 0].tolist() == [0.0, 1.0, 2.0, 0.0, 0.0, 0.0]


def test_prefixes_are_seen_by_attention_and_an_empty_one_changes_nothing(tiny, benchmark):
    from recollect.pretrained.prompting import prefixed_block

    block = tiny.strategy("simplecil", benchmark, TINY).model.backbone.vit.blocks[0]
    tokens = torch.randn(2, 5, 16)
    torch.testing.assert_close(prefixed_block(block, tokens, torch.zeros(2, 2, 0, 16)), block(tokens))
    assert not torch.allclose(prefixed_block(block, tokens, torch.ones(2, 2, 3, 16)), block(tokens))


def test_dualprompt_chooses_the_expert_of_the_nearest_key():
    from baselines.dualprompt import DualPrompts

    made = DualPrompts(2, n_tasks=2, lengths=(1, 1), blocks=(1, 1), key_weight=1.0, first=0)
    made.start_task(0)
    with torch.no_grad():
        made.experts[0].fill_(1.0)
        made.keys[0].copy_(torch.tensor([1.0, 0.0]))
    made.start_task(1)
    assert torch.equal(made.experts[1], made.experts[0])  # continues from the last one
    with torch.no_grad():
        made.experts[1].fill_(2.0)
        made.keys[1].copy_(torch.tensor([0.0, 1.0]))
    made.choose(torch.tensor([[3.0, 1.0], [1.0, 3.0]]), training=False)
    assert made.expert[:, 0, 0, 0, 0].tolist() == [1.0, 2.0]
    made.choose(torch.tensor([[1.0, 0.0]]), training=True)
    assert made.expert.unique().tolist() == [2.0]
    assert made.extra.item() == pytest.approx(0.0, abs=1e-6)


def test_coda_prompt_is_a_weighted_sum_of_components():
    from baselines.coda_prompt import orthogonality_loss, weighted_prompt

    query = torch.tensor([[3.0, 4.0]])
    attention = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # attended: (3, 0) and (3, 4)
    keys = torch.tensor([[2.0, 0.0], [0.0, 1.0]])  # cosines 1 and 4 / 5
    components = torch.tensor([[10.0, 0.0], [0.0, 10.0]])
    assert weighted_prompt(query, attention, keys, components)[0].tolist() == pytest.approx([10.0, 8.0])
    assert orthogonality_loss(torch.eye(3)).item() == 0.0
    assert orthogonality_loss(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).item() == pytest.approx(9 / 4)


def test_coda_prompt_trains_only_the_newest_components(tiny, benchmark):
    made = learn(tiny, benchmark, "coda_prompt", {"pool": 6, "prompt_length": 2})
    before = [p.detach().clone() for p in made.prompts.of_task(0)]
    made.train(benchmark.train_stream[1], eval_streams=[])
    assert all(torch.equal(a, b) for a, b in zip(before, made.prompts.of_task(0), strict=True))


def test_naive_trains_all_heads_and_joint_sees_everything(tiny, benchmark):
    made = learn(tiny, benchmark, "pretrained_naive", {"rank": 2})
    old = made.model.heads.weights[0].detach().clone()
    made.train(benchmark.train_stream[1], eval_streams=[])
    assert not torch.equal(made.model.heads.weights[0], old)
    joint = tiny.strategy("pretrained_joint", benchmark, {**TINY, "rank": 2}, lr=0.05)
    ((task, experience),) = joint.curriculum(benchmark.train_stream)
    assert task == 2
    joint.train(experience, eval_streams=[])
    assert sorted(joint.model.heads.seen()) == [0, 1, 2, 3, 4, 5]
