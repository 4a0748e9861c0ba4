"""The strategy for an Avalanche user: our and plain benchmarks, strangers' plugins, metrics, callbacks."""

from itertools import pairwise

import pytest
import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import as_classification_dataset
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from avalanche.training.plugins import EvaluationPlugin, ReplayPlugin
from avalanche.training.supervised import Naive
from torch.utils.data import TensorDataset

from recollect.engine.batches import ReadyBatches
from recollect.engine.outputs import OutputMask
from recollect.engine.strategy import Strategy
from recollect.models.classifiers import MLP

EVENTS = [name for name in dir(SupervisedPlugin) if name.startswith(("before_", "after_"))]


class Recording(SupervisedPlugin):
    """Notes every callback, as a stranger's plugin would be written: one method per event."""

    def __init__(self):
        super().__init__()
        self.calls = []


def note(event):
    def callback(self, strategy, **kwargs):
        self.calls.append(event)

    return callback


for name in EVENTS:
    setattr(Recording, name, note(name))


@pytest.fixture(scope="module")
def ours(tiny):
    return tiny.benchmark()


@pytest.fixture(scope="module")
def plain(tiny):
    """Two tasks of three classes as any Avalanche user would build them."""

    def experiences(seed, per_class):
        x, y = (torch.from_numpy(a) for a in tiny.arrays(6, per_class, seed=seed))
        for classes in ((0, 1, 2), (3, 4, 5)):
            chosen = torch.isin(y, torch.tensor(classes))
            data = TensorDataset(x[chosen].float() / 255, y[chosen])
            data.targets = y[chosen].tolist()
            yield as_classification_dataset(data)

    return benchmark_from_datasets(train=list(experiences(1, 10)), test=list(experiences(2, 4)))


def own(plugins=(), evaluator=None, epochs=2, **options):
    torch.manual_seed(0)
    model = MLP(input_shape=(1, 6, 6), n_outputs=6, width=16, depth=1)
    return Strategy(
        model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), outputs=OutputMask(6, "seen"),
        train_mb_size=5, train_epochs=epochs, plugins=list(plugins), evaluator=evaluator, **options,
    )  # fmt: skip


def accuracy(strategy, stream):
    """Share of right answers, counted by hand through the model."""
    right = total = 0
    for experience in stream:
        for x, y, *_ in torch.utils.data.DataLoader(experience.dataset, batch_size=7):
            answers = strategy.outputs.apply(strategy.scores(x)).argmax(1)
            right, total = right + int((answers == y).sum()), total + len(y)
    return right / total


@pytest.mark.parametrize("kind", ["ours", "plain"])
def test_training_learns_and_eval_reports_the_answers(request, kind):
    benchmark = request.getfixturevalue(kind)
    metrics = EvaluationPlugin(
        accuracy_metrics(experience=True, stream=True), loss_metrics(epoch=True), loggers=[]
    )
    strategy = own(evaluator=metrics, epochs=8)
    strategy.train(benchmark.train_stream[0], eval_streams=[])
    results = strategy.eval(benchmark.test_stream[:1])
    name = next(key for key in results if key.startswith("Top1_Acc_Stream"))
    assert results[name] == pytest.approx(accuracy(strategy, benchmark.test_stream[:1]))
    assert results[name] > 0.8
    assert strategy.outputs.seen == ([0, 1] if kind == "ours" else [0, 1, 2])
    for experience in benchmark.train_stream[1:]:
        strategy.train(experience, eval_streams=[])
    results = strategy.eval(benchmark.test_stream)
    assert strategy.outputs.seen == list(range(6))
    assert results[name] == pytest.approx(accuracy(strategy, benchmark.test_stream))
    losses = [
        v for k, values in metrics.get_all_metrics().items() if k.startswith("Loss_Epoch") for v in values[1]
    ]
    assert len(losses) == 8 * len(benchmark.train_stream)


@pytest.mark.parametrize("kind", ["ours", "plain"])
def test_metrics_inside_the_loop_see_every_step(request, kind):
    """Mini-batch and epoch accuracy against those of Avalanche's Naive on one batch per epoch."""
    benchmark = request.getfixturevalue(kind)
    found = []
    for stock in (False, True):
        metrics = EvaluationPlugin(accuracy_metrics(minibatch=True, epoch=True), loggers=[])
        strategy = own(evaluator=metrics, epochs=3)
        if stock:
            strategy = Naive(
                model=strategy.model,
                optimizer=strategy.optimizer,
                train_mb_size=100,
                train_epochs=3,
                evaluator=metrics,
            )
        strategy.train_mb_size = 100
        strategy.outputs = OutputMask(6, "all")
        strategy.train(benchmark.train_stream[0], eval_streams=[])
        found.append({name: values for name, (_, values) in metrics.get_all_metrics().items()})
    assert found[0] == found[1]
    assert sorted(len(values) for values in found[0].values()) == [3, 3]
    assert any(v > 0 for values in found[0].values() for v in values)


def test_foreign_batches_are_moved_to_the_device_and_ours_are_there_already(ours, plain):
    for benchmark, moves in ((ours, 0), (plain, 2 * 6)):
        strategy, moved = own(), []
        unpack = strategy._unpack_minibatch
        strategy._unpack_minibatch = lambda unpack=unpack, moved=moved: (moved.append(1), unpack())
        strategy.train(benchmark.train_stream[0], eval_streams=[])
        assert len(moved) == moves


def test_the_whole_stream_may_be_given_at_once(ours):
    one, other = own(), own()
    one.train(ours.train_stream, eval_streams=[])
    for experience in ours.train_stream:
        other.train(experience, eval_streams=[])
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_the_ready_loop_is_the_textbook_loop(ours):
    """Plain SGD on the same batches, written out: bit for bit the same weights."""
    strategy = own()
    strategy.train(ours.train_stream, eval_streams=[])

    torch.manual_seed(0)
    model = MLP(input_shape=(1, 6, 6), n_outputs=6, width=16, depth=1)
    generator, seen = torch.Generator().manual_seed(0), set()
    for experience in ours.train_stream:
        seen |= set(experience.classes_in_this_experience)
        batches = ReadyBatches(experience.dataset.ready_images, 5, generator)
        bias = torch.full((6,), -torch.inf)
        bias[sorted(seen)] = 0
        for x, y, _ in [batch for _ in range(2) for batch in batches]:
            loss = torch.nn.functional.cross_entropy(model(x) + bias, y)
            for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
                p.data.add_(g, alpha=-0.1)
    for a, b in zip(model.parameters(), strategy.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["ours", "plain"])
def test_every_callback_comes_in_avalanches_order(request, kind):
    """The second implementation is Avalanche itself: its Naive strategy on the same benchmark."""
    benchmark = request.getfixturevalue(kind)
    mine, theirs = Recording(), Recording()
    strategy = own([mine])
    torch.manual_seed(0)
    model = MLP(input_shape=(1, 6, 6), n_outputs=6, width=16, depth=1)
    stock = Naive(
        model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), train_mb_size=5, train_epochs=2,
        eval_mb_size=1000, plugins=[theirs], evaluator=None,
    )  # fmt: skip
    for trained in (strategy, stock):
        for experience in benchmark.train_stream:
            trained.train(experience, eval_streams=[])
        trained.eval(benchmark.test_stream)
    assert mine.calls == theirs.calls
    assert set(mine.calls) == set(EVENTS)


class Doubling(SupervisedPlugin):
    """Adds the loss to itself, where Avalanche's regularisation plugins add theirs."""

    def before_backward(self, strategy, **kwargs):
        strategy.loss = strategy.loss + strategy.loss


class Clipping(SupervisedPlugin):
    """Looks at gradients and weights around the update."""

    def __init__(self):
        super().__init__()
        self.moves = []

    def before_update(self, strategy, **kwargs):
        self.before = [p.detach().clone() for p in strategy.model.parameters()]
        self.grads = [p.grad.clone() for p in strategy.model.parameters()]

    def after_update(self, strategy, **kwargs):
        after = [p.detach() for p in strategy.model.parameters()]
        triples = zip(self.before, self.grads, after, strict=True)
        self.moves.append(max(float((a - (b - 0.1 * g)).abs().max()) for b, g, a in triples))


@pytest.mark.parametrize("kind", ["ours", "plain"])
def test_a_plugin_can_change_the_loss(request, kind):
    """Twice the loss at half the rate is the same training."""
    benchmark = request.getfixturevalue(kind)
    doubled, usual = own([Doubling()]), own()
    doubled.optimizer.param_groups[0]["lr"] = 0.05
    for strategy in (doubled, usual):
        torch.manual_seed(1)
        strategy.train(benchmark.train_stream[0], eval_streams=[])
    start = own().model
    for a, b, c in zip(doubled.model.parameters(), usual.model.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        assert not torch.equal(b, c)


def test_a_plugin_sees_gradients_before_and_weights_after_the_update(ours):
    plugin = Clipping()
    own([plugin]).train(ours.train_stream[0], eval_streams=[])
    assert len(plugin.moves) == 2 * 4
    assert max(plugin.moves) < 1e-6


def test_a_plugin_that_starts_later_is_heard_from_the_next_experience(ours):
    strategy, late = own(), Recording()
    strategy.train(ours.train_stream[0], eval_streams=[])
    strategy.plugins.append(late)
    strategy.train(ours.train_stream[1], eval_streams=[])
    assert late.calls.count("after_update") == 8


@pytest.mark.parametrize("kind", ["ours", "plain"])
def test_avalanches_replay_plugin_works(request, kind):
    """It swaps the data loader; afterwards the first task is remembered better than without."""
    benchmark = request.getfixturevalue(kind)
    kept = {}
    for name, plugins in (("replay", [ReplayPlugin(mem_size=30, batch_size_mem=5)]), ("none", [])):
        strategy = own(plugins, epochs=10)
        torch.manual_seed(1)
        for experience in benchmark.train_stream:
            strategy.train(experience, eval_streams=[])
        kept[name] = accuracy(strategy, benchmark.test_stream[:1])
    assert kept["replay"] > kept["none"] + 0.3


def test_stop_training_ends_the_epochs(ours):
    class Stop(SupervisedPlugin):
        def after_training_epoch(self, strategy, **kwargs):
            strategy.stop_training()

    counting = Recording()
    strategy = own([Stop(), counting], epochs=5)
    strategy.train(ours.train_stream[0], eval_streams=[])
    assert counting.calls.count("after_training_epoch") == 1
    strategy.train(ours.train_stream[1], eval_streams=[])
    assert counting.calls.count("after_training_epoch") == 2


@pytest.mark.parametrize("eval_every", [0, 1])
def test_periodic_evaluation_leaves_the_weights_alone(ours, eval_every):
    metrics = EvaluationPlugin(accuracy_metrics(stream=True), loggers=[])
    watched, unwatched = own(evaluator=metrics, eval_every=eval_every), own()
    for experience in ours.train_stream:
        watched.train(experience, eval_streams=[ours.test_stream])
        unwatched.train(experience, eval_streams=[])
    pairs = zip(watched.model.parameters(), unwatched.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert metrics.get_all_metrics()
    assert watched.model.training


@pytest.mark.parametrize(("iterations", "epochs"), [(3, 1), (4, 1), (7, 2), (9, 3)])
def test_iterations_count_updates_per_task(ours, iterations, epochs):
    counting = Recording()
    strategy = own([counting], train_iterations=iterations)
    for number, experience in enumerate(ours.train_stream, start=1):
        strategy.train(experience, eval_streams=[])
        assert counting.calls.count("after_update") == iterations * number
        assert counting.calls.count("after_training_epoch") == epochs * number


@pytest.mark.parametrize("reset", [False, True])
def test_the_optimizers_memory_is_dropped_only_when_asked(ours, reset):
    """Momentum carried over from task 1 moves the first step of task 2."""

    class FirstStep(SupervisedPlugin):
        def before_training_epoch(self, strategy, **kwargs):
            state = strategy.optimizer.state.get(next(strategy.model.parameters()), {})
            self.momentum = state.get("momentum_buffer")

    plugin = FirstStep()
    strategy = own([plugin], epochs=1, reset_optimizer=reset)
    strategy.optimizer.param_groups[0]["momentum"] = 0.9
    strategy.train(ours.train_stream[0], eval_streams=[])
    strategy.train(ours.train_stream[1], eval_streams=[])
    assert (plugin.momentum is None) == reset


def test_task_labels_reach_the_mask(tiny):
    """Task-incremental: while training and evaluating, a sample is asked about its own classes only."""
    benchmark = tiny.benchmark(protocol="task-incremental")
    metrics = EvaluationPlugin(accuracy_metrics(stream=True), loggers=[])
    strategy = own(evaluator=metrics, epochs=1)
    strategy.outputs = OutputMask(6, "task")
    strategy.train(benchmark.train_stream, eval_streams=[])
    results = strategy.eval(benchmark.test_stream)
    right = []
    for task, experience in enumerate(benchmark.test_stream):
        classes = torch.tensor(experience.classes_in_this_experience)
        images = experience.dataset.ready_images
        answers = classes[strategy.model(images.gather(torch.arange(len(images))))[:, classes].argmax(1)]
        right.append(answers == images.labels)
        assert images.task_labels.unique().tolist() == [task]
    name = next(key for key in results if key.startswith("Top1_Acc_Stream"))
    assert results[name] == pytest.approx(float(torch.cat(right).float().mean()))


def test_seeds_decide_the_order_of_the_batches(ours):
    weights = []
    for seed in (0, 0, 1):
        strategy = own(seed=seed)
        strategy.train(ours.train_stream[0], eval_streams=[])
        weights.append(strategy.model.head.weight.detach())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_our_benchmark_serves_avalanches_loaders_too(ours):
    """Sample by sample it is what the ready batches hold."""
    for experience in ours.test_stream:
        images = experience.dataset.ready_images
        whole = images.gather(torch.arange(len(images)))
        for position, (x, y, task) in enumerate(experience.dataset):
            assert torch.equal(x, whole[position])
            assert (int(y), int(task)) == (int(images.labels[position]), experience.task_number)


def test_the_streams_partition_the_data(ours, tiny):
    _, y = tiny.arrays()
    counts = [
        len(e.dataset) + len(v.dataset) for e, v in zip(ours.train_stream, ours.streams["validation"], strict=True)
    ]
    assert sum(counts) == len(y)
    for experience in ours.train_stream:
        present = sorted(set(experience.dataset.ready_images.labels.tolist()))
        assert present == experience.classes_in_this_experience
    classes = [set(e.classes_in_this_experience) for e in ours.train_stream]
    assert all(not a & b for a, b in pairwise(classes))
