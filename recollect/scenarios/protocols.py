"""The protocols: pure functions from labels to the samples and classes of every task.

All randomness comes from ``numpy.random.RandomState``, whose stream is frozen for ever (NEP 19), so
that the same seed gives the same split on every machine and with every NumPy.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recollect.errors import RecollectError

Labels = np.ndarray
Transform = dict[str, Any]


class SplitError(RecollectError):
    """A split that the data do not allow."""


@dataclass(frozen=True)
class TaskIndices:
    """One task: sorted row numbers into the training and test arrays, and how its images are changed."""

    train: np.ndarray
    test: np.ndarray
    transform: Transform = field(default_factory=dict)


def random_state(seed: int, purpose: str) -> np.random.RandomState:
    """An independent frozen stream per (seed, purpose), so that one draw never shifts another."""
    return np.random.RandomState([seed, zlib.crc32(purpose.encode())])


def _where(labels: Labels, classes: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.isin(labels, classes))


def order_classes(n_classes: int, class_order: str | list[int] | dict[str, list[int]], seed: int) -> np.ndarray:
    """The order in which classes arrive: 'fixed' (0, 1, ...), 'permuted' or 'pilot' by the seed, or as given.

    'pilot' is the order of LAMDA-PILOT and all that follow it: ``numpy.random.seed(seed)``, then
    ``numpy.random.permutation``; its papers use seeds 1993 to 1995. A given order may leave classes out.

    ``{"permuted": [...]}`` takes only the classes named there, in an order that the seed determines.

    Raises:
        SplitError: a given order names a class twice or one that does not exist.
    """
    if class_order == "fixed":
        return np.arange(n_classes)
    if class_order == "permuted":
        return random_state(seed, "class order").permutation(n_classes)
    if class_order == "pilot":
        return np.random.RandomState(seed).permutation(n_classes)
    if isinstance(class_order, dict):
        chosen = order_classes(n_classes, class_order["permuted"], seed)
        return chosen[random_state(seed, "class order").permutation(len(chosen))]
    order = np.asarray(class_order, dtype=int)
    twice = sorted({int(c) for c in order if (order == c).sum() > 1})
    unknown = sorted({int(c) for c in order if not 0 <= c < n_classes})
    if not len(order) or twice or unknown:
        wrong = f"names class {(twice or unknown)[0]}" if len(order) else "is empty"
        wrong += " twice" if twice else ""
        raise SplitError(f"class_order {wrong}: it must name each class of 0..{n_classes - 1} at most once")
    return order


def task_sizes(
    n_classes: int,
    n_tasks: int,
    first_task_classes: int | None = None,
    classes_per_task: list[int] | None = None,
    drop_remainder: bool = False,
) -> list[int]:
    """How many classes each task gets.

    Raises:
        SplitError: there are more tasks than classes, or the classes do not divide evenly.
    """
    if classes_per_task is not None:
        if len(classes_per_task) != n_tasks or sum(classes_per_task) > n_classes:
            raise SplitError(
                f"classes_per_task {classes_per_task} must list {n_tasks} sizes that sum to at most {n_classes}"
            )
        return list(classes_per_task)
    head = [] if first_task_classes is None else [first_task_classes]
    rest, tasks = n_classes - sum(head), n_tasks - len(head)
    if tasks > rest or rest < 0:
        raise SplitError(f"{n_tasks} tasks from {n_classes} classes leave a task without classes: lower n_tasks")
    if tasks and rest % tasks and not drop_remainder:
        raise SplitError(
            f"{rest} classes do not divide evenly into {tasks} tasks: choose another n_tasks, set "
            "first_task_classes or classes_per_task, or drop_remainder: true"
        )
    return head + ([rest // tasks] * tasks if tasks else [])


def class_incremental(
    train: Labels, test: Labels, n_classes: int, seed: int, *,
    n_tasks: int, class_order: str | list[int] | dict[str, list[int]] = "fixed",
    first_task_classes: int | None = None, classes_per_task: list[int] | None = None, drop_remainder: bool = False,
) -> list[TaskIndices]:  # fmt: skip
    """Disjoint classes per task; every sample of a class belongs to the task of the class."""
    order = order_classes(n_classes, class_order, seed)
    sizes = task_sizes(len(order), n_tasks, first_task_classes, classes_per_task, drop_remainder)
    groups = np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1])
    return [TaskIndices(_where(train, group), _where(test, group)) for group in groups]


def bin_groups(n_bins: int, n_tasks: int) -> list[np.ndarray]:
    """The bins of every task: equally many consecutive ones.

    Raises:
        SplitError: the bins do not divide evenly.
    """
    if n_bins % n_tasks:
        fitting = ", ".join(str(n) for n in range(1, n_bins + 1) if n_bins % n == 0)
        raise SplitError(f"{n_bins} bins do not divide evenly into {n_tasks} tasks: choose n_tasks from {fitting}")
    return np.split(np.arange(n_bins), n_tasks)


def ordered_continuous(
    train: Labels, test: Labels, n_classes: int, seed: int, *, n_tasks: int
) -> list[TaskIndices]:
    """A continuous variable that grows from task to task; its bins are the labels, 0 the lowest.

    Which samples a task holds is what matters here, the labels are only numbers of bins. Nothing is random.
    """
    groups = bin_groups(n_classes, n_tasks)
    return [TaskIndices(_where(train, group), _where(test, group)) for group in groups]


def permuted_pixels(
    train: Labels, test: Labels, n_classes: int, seed: int, *, n_tasks: int, n_pixels: int
) -> list[TaskIndices]:
    """Every task has all samples under its own pixel permutation; the first task is not permuted."""
    rng = random_state(seed, "pixel permutations")
    everything = np.arange(len(train)), np.arange(len(test))
    permutations = [rng.permutation(n_pixels).tolist() for _ in range(n_tasks - 1)]
    return [TaskIndices(*everything)] + [TaskIndices(*everything, {"permute": p}) for p in permutations]


def rotated(
    train: Labels, test: Labels, n_classes: int, seed: int, *, n_tasks: int, max_degrees: float = 180.0
) -> list[TaskIndices]:
    """Every task has all samples turned by its own angle, drawn from [0, max_degrees); the first is upright."""
    rng = random_state(seed, "angles")
    everything = np.arange(len(train)), np.arange(len(test))
    angles = [0.0, *(float(a) for a in np.round(rng.uniform(0, max_degrees, n_tasks - 1), 6))]
    return [TaskIndices(*everything, {"rotate_degrees": angle}) for angle in angles]


def data_incremental(train: Labels, test: Labels, n_classes: int, seed: int, *, n_tasks: int) -> list[TaskIndices]:
    """Training samples shuffled into equal shards, all classes in each; every task has the whole test set."""
    if n_tasks > len(train):
        raise SplitError(f"{n_tasks} tasks from {len(train)} samples leave a task empty: lower n_tasks")
    shards = np.array_split(random_state(seed, "shards").permutation(len(train)), n_tasks)
    return [TaskIndices(np.sort(shard), np.arange(len(test))) for shard in shards]


def corpora(train: Labels, test: Labels, bounds: list[tuple[int, int, int, int]]) -> list[TaskIndices]:
    """Corpus after corpus: task i holds rows train[a:b] and test[c:d] of ``bounds[i] = (a, b, c, d)``."""
    return [TaskIndices(np.arange(a, b), np.arange(c, d)) for a, b, c, d in bounds]


def dirichlet_shares(n_classes: int, n_tasks: int, alpha: float, variant: str, seed: int) -> np.ndarray:
    """Share of class c that goes to task b, shape (n_classes, n_tasks).

    ``adapt_align`` (Adapt & Align section 7.1, Multiband VAE datasetGen): p_c ~ Dirichlet(alpha/T per task),
    then task sizes are equalised, p_cb <- p_cb * C / ((sum_c p_cb) * (T + 2)); about T/(T + 2) of the
    data is used. ``plain``: p_c ~ Dirichlet(alpha per task), all data are used.
    """
    rng = random_state(seed, "dirichlet")
    concentration = alpha / n_tasks if variant == "adapt_align" else alpha
    shares = rng.dirichlet(np.full(n_tasks, concentration), size=n_classes)
    if not np.isfinite(shares).all():
        raise SplitError(
            f"a class of the Dirichlet split (alpha {alpha}, seed {seed}) is empty: use fewer tasks, a "
            "larger alpha or another seed"
        )
    if variant == "adapt_align":
        shares = shares * n_classes / (shares.sum(axis=0, keepdims=True) * (n_tasks + 2))
    return shares


def _deal(rows: np.ndarray, shares: np.ndarray, exhaustive: bool) -> list[np.ndarray]:
    """Cut the shuffled rows of one class into tasks, in task order, until the class is used up."""
    if exhaustive:
        cuts = np.round(np.cumsum(shares)[:-1] * len(rows)).astype(int)
    else:
        cuts = np.minimum(np.cumsum((len(rows) * shares).astype(int)), len(rows))
    return np.split(rows, cuts)[: len(shares)]


def dirichlet(
    train: Labels,
    test: Labels,
    n_classes: int,
    seed: int,
    *,
    n_tasks: int,
    alpha: float,
    variant: str = "adapt_align",
) -> list[TaskIndices]:
    """Every class spread over the tasks in Dirichlet shares, the same shares for training and test data.

    Raises:
        SplitError: a task gets no training or no test samples.
    """
    shares = dirichlet_shares(n_classes, n_tasks, alpha, variant, seed)
    dealt: dict[str, list[np.ndarray]] = {}
    for part, labels in (("train", train), ("test", test)):
        rng = random_state(seed, f"dirichlet {part}")
        hands = [
            _deal(rng.permutation(np.flatnonzero(labels == c)), shares[c], variant == "plain")
            for c in range(n_classes)
        ]
        dealt[part] = [np.sort(np.concatenate([hand[b] for hand in hands])) for b in range(n_tasks)]
    for task in range(n_tasks):
        if not len(dealt["train"][task]) or not len(dealt["test"][task]):
            raise SplitError(
                f"task {task} of the Dirichlet split (alpha {alpha}, seed {seed}) is empty: "
                "use fewer tasks, a larger alpha or another seed"
            )
    return [TaskIndices(a, b) for a, b in zip(dealt["train"], dealt["test"], strict=True)]


def hold_out(
    rows: np.ndarray, labels: Labels, fraction: float, seed: int, task: int, purpose: str = "validation"
) -> tuple[np.ndarray, np.ndarray]:
    """Split training rows into (training, held out), class by class; a class keeps at least one row."""
    if fraction == 0.0:
        return rows, rows[:0]
    rng = random_state(seed, f"{purpose} {task}")
    held = []
    for label in np.unique(labels[rows]):
        mine = rng.permutation(rows[labels[rows] == label])
        held.append(mine[: min(round(len(mine) * fraction), len(mine) - 1)])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(rows, out, assume_unique=True), out


@dataclass(frozen=True)
class Shares:
    """What becomes of a task's samples.

    Attributes:
        validation: share of the training rows held out for selection.
        evaluate_on: ``test``: the test rows of the protocol; ``training``: the very rows that are trained on;
            ``heldout``: a share of the training rows, not trained on.
        heldout: that share, 0 unless ``evaluate_on`` is ``heldout``.
    """

    validation: float = 0.0
    evaluate_on: str = "test"
    heldout: float = 0.0

    @classmethod
    def of(cls, scenario: dict[str, Any]) -> Shares:
        """Read the keys of a scenario.

        Raises:
            SplitError: ``heldout`` is missing, or there without a use.
        """
        evaluate_on = scenario.get("evaluate_on", "test")
        if evaluate_on == "heldout" and "heldout" not in scenario:
            raise SplitError("evaluate_on: heldout needs the share to hold out: add heldout, e.g. heldout: 0.3")
        if evaluate_on != "heldout" and "heldout" in scenario:
            raise SplitError(
                f"heldout has no use with evaluate_on: {evaluate_on}: drop it, or evaluate_on: heldout"
            )
        return cls(float(scenario.get("validation", 0.0)), evaluate_on, float(scenario.get("heldout", 0.0)))

    def cut(self, task: TaskIndices, train_y: Labels, seed: int, number: int) -> tuple[np.ndarray, ...]:
        """The rows (train, validation, test) of task ``number``; test rows count in the arrays evaluated on."""
        # One hold-out for all tasks that share their samples, so that no image held out is ever trained on.
        draw = 0 if len(task.train) == len(train_y) else number
        train, test = task.train, task.test
        if self.evaluate_on == "heldout":
            train, test = hold_out(train, train_y, self.heldout, seed, draw, "heldout")
        train, validation = hold_out(train, train_y, self.validation, seed, draw)
        return train, validation, train if self.evaluate_on == "training" else test
