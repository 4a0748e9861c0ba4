"""Generative replay: 1/t weighting on hand-made losses, labels of seen classes, a scholar that is frozen."""

import pytest
import torch
from safetensors.torch import load_file

from recollect.models.vae import VAE

SMALL = {"vae_latent": 2, "vae_width": 6}


@pytest.fixture(scope="module")
def benchmark(tiny):
    return tiny.benchmark()


def scholar(tiny, benchmark, tasks=0, **train):
    """Generative replay after some tasks."""
    strategy = tiny.strategy("generative_replay", benchmark, SMALL, **train)
    for experience in benchmark.train_stream[:tasks]:
        strategy.train(experience, eval_streams=[])
    return strategy


class HandMade:
    """A generator whose loss on an image is a number written on it."""

    def __init__(self):
        self.weight = torch.ones((), requires_grad=True)
        self.seen = []

    def losses(self, x):
        self.seen += x.flatten(1).mean(1).tolist()
        return self.weight * x.flatten(1).mean(1)


@pytest.mark.parametrize("tasks", [1, 2, 4])
def test_the_two_losses_are_weighted_by_one_over_t(tiny, benchmark, tasks):
    """Real images say 3, replayed ones 10, for the generator; the solver has losses 0.5 and 2.0."""
    strategy = scholar(tiny, benchmark, tasks=1)
    strategy.tasks_learned = tasks
    generator = HandMade()
    strategy.vae = generator
    strategy.vae_optimizer = torch.optim.SGD([generator.weight], lr=1.0)
    strategy.replay = lambda n: (torch.full((n, 1, 6, 6), 10.0), torch.zeros(n).long(), torch.zeros(n).long())
    strategy.mbatch = [torch.full((4, 1, 6, 6), 3.0), torch.ones(4).long(), torch.zeros(4).long()]
    strategy.is_training = True
    strategy.mb_output = strategy.forward()
    strategy.classification_loss = lambda logits, y, tasks: 0.5 if int(y[0]) == 1 else 2.0
    r = 1 / (tasks + 1)
    assert float(strategy.training_loss()) == pytest.approx(r * 0.5 + (1 - r) * 2.0)
    assert generator.seen == 4 * [3.0] + 4 * [10.0]
    assert float(generator.weight) == pytest.approx(1 - (r * 3 + (1 - r) * 10), rel=1e-6)


def test_the_solvers_loss_is_the_weighted_cross_entropy_of_real_and_replayed(tiny, benchmark):
    strategy = scholar(tiny, benchmark, tasks=1)
    experience = benchmark.train_stream[1]
    strategy.outputs.observe(experience.classes_in_this_experience, 1)
    images = experience.dataset.ready_images
    index = torch.arange(6)
    strategy.mbatch = [images.gather(index), images.labels[index], images.task_labels[index]]
    strategy.is_training = True
    torch.manual_seed(4)
    strategy.mb_output = strategy.forward()
    loss = strategy.training_loss()
    torch.manual_seed(4)
    x, y, _ = strategy.replay(6)
    new, old = (strategy.model(v)[:, :4] for v in (strategy.mb_x, x))
    ce = torch.nn.functional.cross_entropy
    torch.testing.assert_close(loss, 0.5 * ce(new, strategy.mb_y) + 0.5 * ce(old, y))


def test_the_first_task_trains_both_without_replay(tiny, benchmark):
    strategy, naive = scholar(tiny, benchmark), tiny.strategy("naive", benchmark)
    assert strategy.old_vae is None
    start = [p.detach().clone() for p in strategy.vae.parameters()]
    torch.manual_seed(0)
    naive.model.load_state_dict(strategy.model.state_dict())
    for one in (strategy, naive):
        one.train(benchmark.train_stream[0], eval_streams=[])
    assert all(
        torch.equal(a, b) for a, b in zip(strategy.model.parameters(), naive.model.parameters(), strict=True)
    )
    assert not any(torch.equal(a, b) for a, b in zip(strategy.vae.parameters(), start, strict=True))


@pytest.mark.parametrize("tasks", [1, 2])
def test_replay_labels_are_the_frozen_solvers_among_seen_classes(tiny, benchmark, tasks):
    strategy = scholar(tiny, benchmark, tasks)
    with torch.no_grad():  # the old solver would love to answer with classes it has never seen
        strategy.old_solver.head.bias[2 * tasks :] += 100
        strategy.model.head.bias += torch.randn(6)
    x, y, task = strategy.replay(300)
    assert x.shape == (300, 1, 6, 6)
    assert int(y.max()) < 2 * tasks
    assert torch.equal(y, strategy.old_solver(x)[:, : 2 * tasks].argmax(1))
    assert torch.equal(task, y // 2), "the task that first showed the class"
    assert not x.requires_grad


def test_the_scholar_is_frozen(tiny, benchmark):
    strategy = scholar(tiny, benchmark, tasks=1)
    old = [strategy.old_vae, strategy.old_solver]
    current = [strategy.vae, strategy.model]
    weights = [[p.clone() for p in m.parameters()] for m in old]
    for frozen, live in zip(old, current, strict=True):
        assert not any(p.requires_grad for p in frozen.parameters())
        assert not any(module.training for module in frozen.modules())
        for a, b in zip(frozen.parameters(), live.parameters(), strict=True):
            assert torch.equal(a, b)
            assert a.data_ptr() != b.data_ptr()
    ended = []
    after = strategy._after_training_epoch

    def watch(**kwargs):
        ended.append([[p.clone() for p in m.parameters()] for m in (strategy.old_vae, strategy.old_solver)])
        after(**kwargs)

    strategy._after_training_epoch = watch
    strategy.train(benchmark.train_stream[1], eval_streams=[])
    assert len(ended) == 2
    for epoch in ended:
        for a, b in zip(epoch, weights, strict=True):
            assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
    assert not torch.equal(next(strategy.old_vae.parameters()), weights[0][0]), "replaced after the task"


def test_the_generators_own_optimizer_does_not_touch_the_solver(tiny, benchmark):
    strategy = scholar(tiny, benchmark, tasks=1)
    solver = [p.detach().clone() for p in strategy.model.parameters()]
    vae = [p.detach().clone() for p in strategy.vae.parameters()]
    strategy._generator_step(torch.rand(5, 1, 6, 6), torch.rand(5, 1, 6, 6), 0.5)
    assert all(torch.equal(a, b) for a, b in zip(strategy.model.parameters(), solver, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(strategy.vae.parameters(), vae, strict=True))


def test_no_real_image_is_carried(tiny, benchmark):
    """The state holds networks only: no tensor has the size of the images or of a stored batch."""
    strategy = scholar(tiny, benchmark, tasks=2)
    parameters = {tuple(p.shape) for m in (strategy.vae, strategy.model) for p in m.parameters()}
    state = strategy.extra_state()
    assert set(state) == {"vae", "optimizer", "old_vae", "old_solver", "old_seen", "tasks"}
    assert {
        tuple(t.shape) for name in ("vae", "old_vae", "old_solver") for t in state[name].values()
    } <= parameters
    assert (state["old_seen"], state["tasks"]) == ([0, 1, 2, 3], 2)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_the_snapshot_on_disk_decodes_to_the_generators_images(tiny, benchmark, tmp_path, kind):
    """A reader needs the file, the settings and the VAE class; the decoder gives the same images bit for bit."""
    run = tiny.runner(tmp_path, "generative_replay", benchmark, hyper={**SMALL, "vae": kind})
    run.run()
    files = sorted(p.name for p in (tmp_path / "snapshots").iterdir())
    assert files == ["task0.safetensors", "task1.safetensors", "task2.safetensors"]
    reader = VAE(input_shape=(1, 6, 6), kind=kind, latent=2, width=6)
    reader.decoder.load_state_dict(load_file(tmp_path / "snapshots" / "task2.safetensors"))
    images = []
    for model in (reader, run.strategy.vae):
        torch.manual_seed(3)
        images.append(model.sample(4, torch.device("cpu")))
    assert torch.equal(*images)
    first = load_file(tmp_path / "snapshots" / "task0.safetensors")
    assert not torch.equal(next(iter(first.values())), next(iter(reader.decoder.state_dict().values())))


def test_replay_keeps_the_first_task(tiny, benchmark):
    """Better than naive on what it can no longer see."""
    kept = {}
    images = benchmark.test_stream[0].dataset.ready_images
    x, labels = images.gather(torch.arange(len(images))), images.labels
    for method, hyper in (
        ("generative_replay", {"vae_latent": 4, "vae_width": 32, "vae_lr": 0.01}),
        ("naive", {}),
    ):
        strategy = tiny.strategy(
            method, benchmark, hyper, optimizer="adam", lr=0.005, iterations=200, batch_size=9, width=32
        )
        for experience in benchmark.train_stream[:2]:
            strategy.train(experience, eval_streams=[])
        kept[method] = float((strategy.outputs.apply(strategy.scores(x)).argmax(1) == labels).float().mean())
    assert kept["generative_replay"] > kept["naive"] + 0.3
