"""A trained generator judged: the distances of its samples to every task's images, after every task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recollect.files import sha256_text
from recollect.metrics.generative.frechet import frechet_distance, rank_deficient
from recollect.metrics.generative.kid import kernel_distance
from recollect.metrics.generative.knn import knn_precision_recall
from recollect.metrics.generative.prd import prd_precision_recall

Sampler = Callable[[int, int, torch.Generator], Tensor]
"""(number of images, task, generator) to images (n, C, H, W)."""

KID_SUBSETS = 10


def stream_seed(*what: object) -> int:
    """A 32-bit seed that follows from what is drawn."""
    return int(sha256_text(" ".join(map(str, what)))[:8], 16)


def draw(sampler: Sampler, n: int, task: int, seed: int, after: int) -> Tensor:
    """``n`` samples of a task by the model of after task ``after``; the noise follows from the three numbers."""
    return sampler(n, task, torch.Generator().manual_seed(stream_seed("samples", seed, after, task)))


@dataclass
class Judgement:
    """What was measured of one run.

    Attributes:
        fid: (T, T), row t column j: after task t, samples of task j; NaN where not sampled.
        final: metric name to its value per task after the last one.
        n_generated: samples per task.
        is_rank_deficient: some covariance had fewer samples than features.
    """

    fid: np.ndarray
    final: dict[str, list[float]]
    n_generated: list[int]
    is_rank_deficient: bool


def judge(
    samplers: Sequence[Sampler | None], reference: Sequence[np.ndarray], extract: Callable[[Tensor], np.ndarray],
    seed: int, *, all_tasks: bool = False,
) -> Judgement:  # fmt: skip
    """FID of every task seen, after every task; after the last one all other metrics too.

    Args:
        samplers: the model after each task; None where there is none.
        reference: features (n_j, D) of every task's evaluation images; as many samples are drawn.
        extract: images to features.
        seed: of the run.
        all_tasks: sample every task even before the model has learned it (joint training has one model only).
    """
    n_tasks = len(reference)
    fid = np.full((n_tasks, n_tasks), np.nan)
    final: dict[str, list[float]] = {}
    short = False
    for after, sampler in enumerate(samplers):
        if sampler is None:
            continue
        for task in range(n_tasks if all_tasks else after + 1):
            real = reference[task]
            made = extract(draw(sampler, len(real), task, seed, after))
            short |= rank_deficient(len(made), len(real), real.shape[1])
            fid[after, task] = frechet_distance(made, real, allow_rank_deficient=True)
            if after == n_tasks - 1:
                for name, value in final_metrics(made, real, stream_seed("metrics", seed, task)).items():
                    final.setdefault(name, []).append(value)
    return Judgement(fid, final, [len(real) for real in reference], short)


def final_metrics(made: np.ndarray, real: np.ndarray, seed: int) -> dict[str, float]:
    """What is measured beside FID on features (n, D) of samples and images."""
    prd = prd_precision_recall(made, real, seed=seed)
    knn = knn_precision_recall(made, real)
    kid = kernel_distance(made, real, seed=seed, n_subsets=KID_SUBSETS)
    return {
        "precision": prd.precision,
        "recall": prd.recall,
        "knn_precision": knn.precision,
        "knn_recall": knn.recall,
        "kid": kid.mean,
    }


def summarise(judgement: Judgement, extractor: str) -> dict[str, float]:
    """Metrics of a run: unweighted means over the tasks after the last one; names end in ``@extractor``.

    ``fid_just_learned`` is the mean of FID[i, i] and ``fid_change`` of FID[T, i] - FID[i, i] over i < T: below
    zero, early tasks have improved since they were learned.
    """
    last, diagonal = judgement.fid[-1], np.diag(judgement.fid)
    values = {"fid": float(last.mean())}
    values |= {name: float(np.mean(numbers)) for name, numbers in judgement.final.items()}
    if len(last) > 1 and not np.isnan(diagonal).any():
        values["fid_just_learned"] = float(diagonal.mean())
        values["fid_change"] = float((last - diagonal)[:-1].mean())
    return {f"{name}@{extractor}": value for name, value in values.items()}
