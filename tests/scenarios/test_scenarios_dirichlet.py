"""Dirichlet splits: Adapt & Align 7.1 written again from its formula, worked by hand, and an ordinary one."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.scenarios import protocols
from recollect.scenarios.protocols import SplitError


class Scripted:
    """A random state that gives planned shares and leaves rows in order."""

    def __init__(self, shares):
        self.shares = np.array(shares)

    def dirichlet(self, concentration, size):
        assert (len(concentration), size) == self.shares.shape[::-1]
        return self.shares

    def permutation(self, rows):
        return rows


def scripted_split(monkeypatch, shares, train_counts, test_counts, **options):
    monkeypatch.setattr(protocols, "random_state", lambda seed, purpose: Scripted(shares))
    train, test = (np.repeat(np.arange(len(n)), n) for n in (train_counts, test_counts))
    tasks = protocols.dirichlet(train, test, len(shares), 0, n_tasks=len(shares[0]), alpha=1.0, **options)
    return [[part.tolist() for part in (task.train, task.test)] for task in tasks]


def test_adapt_align_by_hand(monkeypatch):
    # p = [[.5 .5] [.9 .1]], T = 2, C = 2: column sums 1.4 and 0.6, so q = p * 2 / (column sum * 4)
    #   = [[.1786 .4167] [.3214 .0833]]; of 10 and 20 samples int gives [[1 4] [6 1]], of 20 and 40 [[3 8] [12 3]].
    tasks = scripted_split(monkeypatch, [[0.5, 0.5], [0.9, 0.1]], [10, 20], [20, 40])
    assert tasks[0] == [[0, *range(10, 16)], [*range(3), *range(20, 32)]]
    assert tasks[1] == [[1, 2, 3, 4, 16], [*range(3, 11), *range(32, 35)]]


def test_adapt_align_stops_when_a_class_is_used_up(monkeypatch):
    # C = 5, T = 2: column sums 1.1 and 3.9. Class 0 wants 0.9 * 5 / 4.4 = 1.0227 of itself in task 0: it gets all
    # 100, nothing is left for task 1. The others get int(5.68) = 5 and int(30.45) = 30.
    tasks = scripted_split(monkeypatch, [[0.9, 0.1], *[[0.05, 0.95]] * 4], [100] * 5, [100] * 5)
    later = [range(100 * c, 100 * c + 5) for c in range(1, 5)]
    assert tasks[0][0] == [*range(100), *(row for rows in later for row in rows)]
    assert tasks[1][0] == [row for c in range(1, 5) for row in range(100 * c + 5, 100 * c + 35)]


def test_plain_by_hand(monkeypatch):
    # Cuts at round(2.5) = 2 and round(7.5) = 8, half to even; at round(.1 * 5) = 0 and round(.5 * 5) = 2.
    shares = [[0.25, 0.5, 0.25], [0.1, 0.4, 0.5]]
    tasks = scripted_split(monkeypatch, shares, [10, 5], [4, 4], variant="plain")
    assert [task[0] for task in tasks] == [[0, 1], [*range(2, 8), 10, 11], [8, 9, 12, 13, 14]]


def from_the_formula(labels, n_classes, n_tasks, alpha, seed, part):
    """Section 7.1 sample by sample, in plain Python; only the draws themselves come from NumPy."""
    rng = np.random.RandomState([seed, zlib.crc32(b"dirichlet")])
    p = [list(rng.dirichlet([alpha / n_tasks] * n_tasks)) for _ in range(n_classes)]
    per_task = [sum(p[c][b] for c in range(n_classes)) for b in range(n_tasks)]
    shuffle = np.random.RandomState([seed, zlib.crc32(f"dirichlet {part}".encode())])
    tasks = [[] for _ in range(n_tasks)]
    for c in range(n_classes):
        left = list(shuffle.permutation([i for i, label in enumerate(labels) if label == c]))
        n_c = len(left)
        for b in range(n_tasks):
            equalised = p[c][b] * n_classes / (per_task[b] * (n_tasks + 2))
            for _ in range(int(n_c * equalised)):
                if left:
                    tasks[b].append(int(left.pop(0)))
    return [sorted(task) for task in tasks]


@pytest.mark.parametrize(
    ("n_classes", "n_tasks", "alpha"), [(10, 10, 1.0), (10, 10, 100.0), (4, 3, 0.5), (20, 5, 10.0)]
)
@pytest.mark.parametrize("seed", [0, 1, 13])
def test_adapt_align_agrees_with_the_formula(n_classes, n_tasks, alpha, seed):
    rng = np.random.default_rng(seed)
    train, test = rng.integers(0, n_classes, 1500), rng.integers(0, n_classes, 700)
    tasks = protocols.dirichlet(train, test, n_classes, seed, n_tasks=n_tasks, alpha=alpha)
    expected = [
        from_the_formula(y, n_classes, n_tasks, alpha, seed, p) for y, p in ((train, "train"), (test, "test"))
    ]
    assert [[t.train.tolist() for t in tasks], [t.test.tolist() for t in tasks]] == expected


@given(
    n_classes=st.integers(2, 12),
    n_tasks=st.integers(2, 12),
    alpha=st.floats(0.5, 100),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_equalised_shares_are_the_same_for_every_task(n_classes, n_tasks, alpha, seed):
    shares = protocols.dirichlet_shares(n_classes, n_tasks, alpha, "adapt_align", seed)
    assert shares.shape == (n_classes, n_tasks)
    np.testing.assert_allclose(shares.sum(axis=0), n_classes / (n_tasks + 2), rtol=1e-12)


@pytest.mark.parametrize("n_tasks", [2, 5, 10])
def test_adapt_align_uses_t_of_t_plus_2_of_the_data(n_tasks):
    y = np.repeat(np.arange(10), 1000)
    tasks = protocols.dirichlet(y, y, 10, 0, n_tasks=n_tasks, alpha=1000.0)
    used = sum(len(task.train) for task in tasks) / len(y)
    lost_to_int = 10 * n_tasks / len(y)
    assert n_tasks / (n_tasks + 2) - lost_to_int <= used <= n_tasks / (n_tasks + 2)


@pytest.mark.parametrize(("variant", "total"), [("adapt_align", 2.0), ("plain", 10.0)])
def test_concentration_is_divided_by_the_tasks_only_in_adapt_align(variant, total):
    """Var of one of T Dirichlet shares is (1/T)(1 - 1/T) / (a0 + 1); a0 = alpha, or T alpha in the plain one."""
    n_tasks, alpha = 5, 2.0
    shares = protocols.dirichlet_shares(20_000, n_tasks, alpha, variant, 0)
    shares = shares / shares.sum(axis=1, keepdims=True)  # undoes the equalisation: 20,000 classes make it uniform
    assert shares.mean() == pytest.approx(1 / n_tasks)
    assert shares.var() == pytest.approx(0.2 * 0.8 / (total + 1), rel=0.03)


labels = st.integers(2, 5).flatmap(
    lambda n: st.lists(st.integers(0, n - 1), min_size=40, max_size=80).map(lambda y: (np.array(y), n))
)


def tasks_or_none(y, n_classes, seed, **options):
    try:
        return protocols.dirichlet(y, y, n_classes, seed, **options)
    except SplitError:
        return None


@given(labels=labels, n_tasks=st.integers(1, 5), alpha=st.floats(0.3, 50), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_plain_is_disjoint_exhaustive_and_near_its_shares(labels, n_tasks, alpha, seed):
    y, n_classes = labels
    tasks = tasks_or_none(y, n_classes, seed, n_tasks=n_tasks, alpha=alpha, variant="plain")
    if tasks is None:
        return
    for part in ("train", "test"):
        rows = [getattr(task, part) for task in tasks]
        assert sorted(np.concatenate(rows)) == list(range(len(y)))
        assert all((np.diff(r) > 0).all() for r in rows)
    shares = protocols.dirichlet_shares(n_classes, n_tasks, alpha, "plain", seed)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    counts = np.array([np.bincount(y[task.train], minlength=n_classes) for task in tasks]).T
    assert np.abs(counts - shares * np.bincount(y, minlength=n_classes)[:, None]).max() <= 1.0 + 1e-9


@given(labels=labels, n_tasks=st.integers(1, 5), alpha=st.floats(0.3, 50), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_adapt_align_is_disjoint_and_repeatable(labels, n_tasks, alpha, seed):
    y, n_classes = labels
    options = {"n_tasks": n_tasks, "alpha": alpha}
    tasks = tasks_or_none(y, n_classes, seed, **options)
    if tasks is None:
        return
    again = protocols.dirichlet(y, y, n_classes, seed, **options)
    for part in ("train", "test"):
        rows = np.concatenate([getattr(task, part) for task in tasks])
        assert len(set(rows.tolist())) == len(rows) <= len(y)
        assert rows.min() >= 0
        assert rows.max() < len(y)
        assert all((np.diff(getattr(task, part)) > 0).all() for task in tasks)
        assert all((getattr(a, part) == getattr(b, part)).all() for a, b in zip(tasks, again, strict=True))


def test_another_seed_gives_other_shares_and_other_rows():
    y = np.repeat(np.arange(5), 50)
    splits = {tuple(protocols.dirichlet(y, y, 5, s, n_tasks=3, alpha=100.0)[0].train) for s in range(5)}
    assert len(splits) == 5


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("variant", ["adapt_align", "plain"])
@pytest.mark.parametrize("alpha", [100.0, 0.01, 1e-5])
def test_task_without_samples_is_refused(variant, alpha):
    y = np.repeat(np.arange(3), 2)
    with pytest.raises(SplitError) as error:
        protocols.dirichlet(y, y, 3, 0, n_tasks=7, alpha=alpha, variant=variant)
    assert f"(alpha {alpha}, seed 0) is empty: use fewer tasks" in str(error.value)
