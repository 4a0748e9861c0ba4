"""Speed and memory of what methods on pre-trained backbones do beside the ViT's own arithmetic.

Alignment of heads on stored statistics; covariances of a thousand classes; LoRA training against a plain loop.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.step_speed import experience
from recollect.layout import ROOT

DIM, CLASSES, SAMPLES, EPOCHS, BATCH = 768, 100, 512, 10, 128
MANY = 1000
THREADS = 2
"""Of the alignment, whose aim is for two cores."""


def align(threads: int = THREADS) -> dict[str, float]:
    """Seconds of drawing samples and of aligning heads on them with the LCA loss, as after the last task."""
    from recollect.engine.optimizers import SGD
    from recollect.pretrained.alignment import Alignment, alignment_loss, nearest
    from recollect.pretrained.features import RowBatches
    from recollect.pretrained.gaussians import ClassGaussians
    from recollect.pretrained.heads import TaskHeads

    torch.set_num_threads(threads)
    draw = torch.Generator().manual_seed(0)
    gaussians, heads = ClassGaussians(DIM), TaskHeads(DIM, CLASSES)
    for task in range(10):
        heads.add(range(10 * task, 10 * task + 10), draw)
    for label in range(CLASSES):
        gaussians.add(label, torch.randn(500, DIM, generator=draw) + torch.randn(DIM, generator=draw))
    start, processor = time.perf_counter(), time.process_time()
    z, y = gaussians.sample(SAMPLES, draw)
    near = nearest(z, gaussians.mean_matrix()) == y
    drawn = time.perf_counter()
    batches, how = RowBatches((z, y, near), BATCH, draw), Alignment("lca")
    optimizer = SGD(heads.parameters(), lr=how.lr, momentum=how.momentum, weight_decay=how.weight_decay)
    for _ in range(EPOCHS):
        for samples, places, close in batches:
            optimizer.zero_grad()
            alignment_loss(heads.joined(samples), places, close, how, [10] * 10).backward()
            optimizer.step()
    end = time.perf_counter()
    spent = time.process_time() - processor
    return {"sampling_s": drawn - start, "training_s": end - drawn, "processor_s": spent}


def covariances() -> dict[str, float]:
    """Peak memory of a process that collects a thousand classes and samples each, and what they occupy."""
    code = "from benchmarks.pretrained_speed import collect; collect()"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after, stored = (float(n) for n in run.stdout.split())
    return {"before_mib": before, "peak_mib": after, "stored_mib": stored}


def collect() -> None:
    """The body of that process; prints its memory before and at its peak, and the bytes of the covariances."""
    from recollect.pretrained.gaussians import ClassGaussians

    torch.set_num_threads(1)
    draw, gaussians = torch.Generator().manual_seed(0), ClassGaussians(DIM)
    gaussians.add(-1, torch.randn(60, DIM, generator=draw))  # libraries have their buffers now
    gaussians = ClassGaussians(DIM)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    for label in range(MANY):
        gaussians.add(label, torch.randn(60, DIM, generator=draw))
    gaussians.sample(1, draw)
    stored = sum(s.numel() * s.element_size() for s in gaussians.spreads) / 2**20
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, stored)


@dataclass(frozen=True)
class LoRA:
    """What is trained: a backbone by name, images (side, of 0..255) per round in batches, and the rank."""

    backbone: str
    side: int
    rank: int
    images: int
    batch: int
    rounds: int


SMALL = LoRA("vit_cifar50", 32, 16, 512, 64, 5)
BASE = LoRA("vit_base_patch16_224", 224, 64, 24, 8, 3)


def _setting(what: LoRA) -> Any:
    from recollect.engine.outputs import OutputMask
    from recollect.engine.settings import Setting, TrainSettings

    train = TrainSettings(batch_size=what.batch, lr=0.01, momentum=0.9, weight_decay=5e-4, epochs=1)
    shape = (3, what.side, what.side)
    return Setting(train, shape, 10, 5, OutputMask(10, "seen"), torch.device("cpu"), 0)


def time_engine(what: LoRA, one: Any) -> float:
    """Processor seconds per iteration of LCA's task training, all blocks adapted."""
    from recollect.engine.loading import load_build

    strategy = load_build("lca")(
        setting=_setting(what), backbone=what.backbone, pretrained=False, rank=what.rank, align="none"
    )
    spent: list[float] = []
    original = type(strategy).training_epoch

    def timed(self: Any, **kwargs: Any) -> None:
        start = time.process_time()
        original(self, **kwargs)
        spent.append(time.process_time() - start)

    strategy.training_epoch = timed.__get__(strategy)
    strategy.train(one, eval_streams=[])
    return sum(spent) / (what.images // what.batch)


def time_plain(what: LoRA, x: torch.Tensor, y: torch.Tensor) -> float:
    """Processor seconds per iteration of the loop one would write: peft's model, a linear head, SGD."""
    from peft import LoraConfig, get_peft_model

    from recollect.pretrained.backbones import load_backbone

    config = LoraConfig(
        r=what.rank, lora_alpha=2 * what.rank, target_modules=["qkv"], init_lora_weights="gaussian"
    )
    bare = load_backbone(what.backbone, pretrained=False)
    model = get_peft_model(bare.vit, config)
    head = torch.nn.Linear(bare.dim, 10, bias=False)
    trained = [*(p for p in model.parameters() if p.requires_grad), *head.parameters()]
    optimizer = torch.optim.SGD(trained, lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True)
    start = time.process_time()
    for rows in torch.randperm(len(x)).split(what.batch):
        optimizer.zero_grad()
        cross_entropy(head(model(x[rows].float() / 255)), y[rows]).backward()
        optimizer.step()
    return (time.process_time() - start) / (what.images // what.batch)


def lora(what: LoRA) -> dict[str, float]:
    """Medians of both, in ms of processor time, and of the ratio plain / engine; one thread, taking turns."""
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (what.images, 3, what.side, what.side), dtype=torch.uint8, generator=draw)
    y = torch.from_numpy(np.arange(what.images) % 10)
    one = experience(x, y, list(range(10)), 0)
    pairs = [(time_engine(what, one), time_plain(what, x, y)) for _ in range(what.rounds + 1)][
        1:
    ]  # first: warm-up
    return {
        "engine_ms": 1e3 * statistics.median(a for a, _ in pairs),
        "plain_ms": 1e3 * statistics.median(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }


def measure() -> dict[str, dict[str, float]]:
    """Everything; the large model last, for its peak of memory."""
    found = {"align": align(), "covariances": covariances(), SMALL.backbone: lora(SMALL)}
    return {**found, BASE.backbone: lora(BASE)}
