"""A trained generator judged: the distances of its samples to every task's images, after every task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recollect.files import sha256_text
from recollect.generation.measures import Measures
from recollect.metrics.accuracy import MetricError
from recollect.metrics.generative.frechet import rank_deficient

Sampler = Callable[[int, int, torch.Generator], Tensor]
"""(number of images, task, generator) to images (n, C, H, W)."""


def stream_seed(*what: object) -> int:
    """A 32-bit seed that follows from what is drawn."""
    return int(sha256_text(" ".join(map(str, what)))[:8], 16)


def draw(sampler: Sampler, n: int, task: int, seed: int, after: int) -> Tensor:
    """``n`` samples of a task by the model of after task ``after``; the noise follows from the three numbers.

    Raises:
        MetricError: a sample holds values that are not finite.
    """
    made = sampler(n, task, torch.Generator().manual_seed(stream_seed("samples", seed, after, task)))
    broken = int((~torch.isfinite(made)).flatten(1).any(dim=1).sum())
    if broken:
        raise MetricError(
            f"{broken} of {n} samples of task {task} after task {after} hold values that are not finite: lower "
            "the learning rate"
        )
    return made


@dataclass
class Judgement:
    """What was measured of one run.

    Attributes:
        matrices: distance to its (T, T), row t column j: after task t, samples of task j; NaN where not sampled.
        final: further metrics to their values per task after the last one.
        n_generated: samples per task.
        is_rank_deficient: some covariance had fewer samples than features.
    """

    matrices: dict[str, np.ndarray]
    final: dict[str, list[float]]
    n_generated: list[int]
    is_rank_deficient: bool = False


def judge(
    samplers: Sequence[Sampler | None], reference: Sequence[np.ndarray], extract: Callable[[Tensor], np.ndarray],
    seed: int, measures: Measures,
) -> Judgement:  # fmt: skip
    """Distances of every task seen, after every task; after the last one all other metrics too.

    Args:
        samplers: the model after each task; None where there is none (joint training has one only, the last).
        reference: features (n_j, D) of every task's evaluation images; as many samples are drawn.
        extract: images to features.
        seed: of the run.
        measures: what is measured on features.

    Raises:
        MetricError: samples or features that are not finite, or too few of them.
    """
    n_tasks = len(reference)
    found = Judgement({}, {}, [len(real) for real in reference])
    for after, sampler in enumerate(samplers):
        if sampler is None:
            continue
        for task, real in enumerate(reference[: after + 1]):
            made = extract(draw(sampler, len(real), task, seed, after))
            if measures.covariances:
                found.is_rank_deficient |= rank_deficient(len(made), len(real), real.shape[1])
            for name, value in measures.always(made, real).items():
                found.matrices.setdefault(name, np.full((n_tasks, n_tasks), np.nan))[after, task] = value
            if after < n_tasks - 1:
                continue
            for name, value in measures.finally_too(made, real, stream_seed("metrics", seed, task)).items():
                found.final.setdefault(name, []).append(value)
    return found


def summarise(judgement: Judgement, extractor: str) -> dict[str, float]:
    """Metrics of a run: unweighted means over the tasks after the last one; names end in ``@extractor``.

    Of a distance d, ``d_just_learned`` is the mean of d[i, i] and ``d_change`` of d[T, i] - d[i, i] over i < T:
    below zero, early tasks have improved since they were learned.
    """
    values: dict[str, float] = {}
    for name, matrix in judgement.matrices.items():
        last, diagonal = matrix[-1], np.diag(matrix)
        values[name] = float(last.mean())
        if len(last) > 1 and not np.isnan(diagonal).any():
            values[f"{name}_just_learned"] = float(diagonal.mean())
            values[f"{name}_change"] = float((last - diagonal)[:-1].mean())
    values |= {name: float(np.mean(numbers)) for name, numbers in judgement.final.items()}
    return {f"{name}@{extractor}": value for name, value in values.items()}
