"""Run every benchmark and write ``docs/benchmarks.md``: ``make bench`` (three to ten minutes).

``python -m benchmarks steps planning`` measures only the sections named and keeps the others.

With RECOLLECT_DATA the step speeds are taken on real MNIST and stock Avalanche is measured on its own SplitMNIST.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import (
    bookkeeping,
    carried,
    ewc_cost,
    generator_speed,
    mmcl_speed,
    planning,
    pretrained_speed,
    report_speed,
    start,
    step_speed,
)
from recollect.files import write_text
from recollect.layout import ROOT
from recollect.provenance.environment import git_state, processor

TARGET = ROOT / "docs" / "benchmarks.md"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def step_section(result: dict[str, Any]) -> str:
    """Step speed against hand-written loops and stock Avalanche."""
    rows = [(name, f"{a:.2f}", f"{b:.2f}", f"{r:.2f}") for name, (a, b, r) in result["loops"].items()]
    data = "MNIST" if result["real_mnist"] else "random images of MNIST's shape"
    text = (
        "## Per training iteration\n\n"
        f"Second task of Split MNIST ({data}), MLP 2x400, batch 32, SGD, one thread; engine and\n"
        f"hand-written loop take turns {step_speed.ROUNDS} times; medians. Aim: ratio at most 1.10.\n\n"
        + table(("method", "engine ms", "hand-written ms", "ratio"), rows)
    )
    if not result["stock"]:
        return text + "\nStock Avalanche was not measured: it needs MNIST, set RECOLLECT_DATA.\n"
    rows = [
        (name, f"{a:.2f}", f"{b:.2f}", f"{r:.1f}", f"{100 * x:.1f}", f"{100 * y:.1f}")
        for name, (a, b, r, x, y) in result["stock"].items()
    ]
    return (
        text + "\nWhole Split MNIST, 5 tasks, 1 epoch, against stock Avalanche on its own SplitMNIST, same\n"
        "settings, all between first and last step counted. Aim: 3 times faster for naive and LwF, 5 for EWC and\n"
        "DER++. Accuracies are final means over tasks with all ten outputs open, one seed: they show that both\n"
        "learn the same thing, not which is better. Where the engine equals the hand-written loop, what is left\n"
        "of a step is this processor's arithmetic.\n\n"
        + table(("method", "engine ms", "Avalanche ms", "faster by", "engine acc. %", "Avalanche acc. %"), rows)
    )


def ewc_section(result: dict[int, float]) -> str:
    """Cost of the EWC penalty."""
    rows = [(tasks, f"{ms:.3f}") for tasks, ms in result.items()]
    return "## EWC penalty\n\nMilliseconds that the penalty adds to a step, MLP 2x400 on 28x28.\n\n" + table(
        ("tasks consolidated", "ms"), rows
    )


def carried_section(result: dict[str, list[int]], data: int) -> str:
    """Bytes carried between tasks."""
    rows = [(name, *(f"{n:,}" for n in sizes)) for name, sizes in result.items()]
    return (
        "## Memory carried from task to task\n\n"
        "Bytes of tensors a method keeps beside model and optimizer, after each task of Split Digits with the\n"
        f"settings of the default suite. All training images together are {data:,} bytes.\n\n"
        + table(("method", *(f"task {t}" for t in range(1, 6))), rows)
    )


def pretrained_section(result: dict[str, dict[str, float]]) -> str:
    """Alignment, covariances and LoRA training."""
    a, c, p = result["align"], result["covariances"], pretrained_speed
    return (
        "## Pre-trained backbones\n\n"
        f"Alignment of heads with the LCA loss on stored statistics, {p.THREADS} threads: "
        f"{p.CLASSES} classes, {p.SAMPLES} samples\neach, {p.EPOCHS} epochs, d = {p.DIM}: "
        f"{a['sampling_s']:.1f} s for the samples, {a['training_s']:.1f} s for training "
        f"({a['processor_s']:.1f} s of processor time).\nAim: at most 20 s.\n\n"
        f"Full covariances of {p.MANY:,} classes, d = {p.DIM}, collected and sampled, occupy "
        f"{c['stored_mib']:.0f} MiB; the process\ngrows from {c['before_mib']:.0f} to "
        f"{c['peak_mib']:.0f} MiB at its peak. Aim: 2.5 GB.\n\n"
        "Training with LoRA on all blocks, one thread: task training of LCA against a plain loop over the same\n"
        "model of the peft library, random weights; processor time, medians of rounds in turns. Throughput aimed\n"
        "at: at least 0.97 of the plain loop's. The process peaked at "
        f"{result[p.BASE.backbone]['peak_mib']:.0f} MiB.\n\n"
        + table(
            ("backbone", "rank", "batch", "rounds", "engine ms", "plain loop ms", "throughput"),
            [
                [w.backbone, w.rank, w.batch, w.rounds]
                + [f"{result[w.backbone][k]:.2f}" for k in ("engine_ms", "plain_ms", "ratio")]
                for w in (p.SMALL, p.BASE)
            ],
        )
    )


def mmcl_section(result: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Adapters of MMCL against plain ones."""
    rows = [
        (case, kind, f"{ms:.1f}", f"{ratio:.2f}")
        for case, kinds in result.items()
        for kind, (ms, ratio) in kinds.items()
    ]
    return (
        "## Cross-modality adapters\n\n"
        "One forward and backward pass through two frozen transformers with adapters, one thread, processor "
        "time,\n"
        f"medians of {mmcl_speed.ROUNDS} rounds in turns; 2 of 4 or of 12 experts per sample. Plain: one adapter "
        "of the same rank per\nmodality and block, no experts. Aim: at most 1.3 of plain.\n\n"
        + table(("transformers", "adapters", "ms", "of plain"), rows)
    )


def generator_section(result: dict[str, tuple[float, float, float]]) -> str:
    """Speed of the Adapt & Align VAE against a bare loop."""
    rows = [
        (name, f"{ours:.1f}", f"{bare:.1f}", f"{ratio:.2f}", f"{generator_speed.SOURCE_MS[name]:.0f}")
        for name, (ours, bare, ratio) in result.items()
    ]
    return (
        "## Adapt & Align VAE\n\n"
        "Milliseconds per mini-batch of 64, fully connected networks as for MNIST, two threads, third task;\n"
        "the bare loop has the same networks, loss and fused Adam, and its data lie ready. Medians over "
        f"{generator_speed.ROUNDS}\nalternating rounds. Aim: 10 ms in the local phase, 7 ms in the global one.\n\n"
        + table(("phase", "ms", "bare loop ms", "ratio", "authors' code ms"), rows)
        + "\nThe last column is from another reading on a machine of this class.\n"
    )


def planning_section(result: dict[str, float]) -> str:
    """Cost of planning."""
    return (
        "## Planning\n\n"
        f"`snakemake -n` on a suite of {result['runs']:,.0f} runs, one job each, in an empty folder: "
        f"{result['cpu_s']:.0f} s of processor time,\n{result['seconds']:.0f} s elapsed, "
        f"{result['peak_mib']:.0f} MiB. Aim: under 60 s, 2,000 MiB.\n"
    )


def bookkeeping_section(result: dict[str, float]) -> str:
    """Cost of a job beside the job."""
    return (
        "## Bookkeeping\n\n"
        f"Snakemake on the local executor, {result['jobs']:.0f} jobs whose commands are replaced by `touch`: "
        f"{result['cpu_s']:.3f} s of\nprocessor time and {result['wall_s']:.2f} s elapsed per job beyond the "
        f"first {result['first']:.0f}. Aim: 0.3 s.\n"
    )


def start_section(result: dict[str, tuple[float, float]]) -> str:
    """Cost of a process before it trains."""
    rows = [(method, f"{cpu_s:.1f}", f"{mib:.0f}") for method, (cpu_s, mib) in result.items()]
    return (
        "## Start of a process\n\n"
        "Imports of a training process, paid once for all its seeds; modules compiled before; that of LCA with\n"
        "timm. Aim: 6 s of processor time.\n\n" + table(("method", "processor s", "MiB"), rows)
    )


def report_section(r: dict[str, float]) -> str:
    """Cost of tables and page of many runs."""
    return (
        "## Tables and page\n\n"
        f"Collecting {r['runs']:,.0f} finished runs (stubs), {r['tables']:.0f} tables and the page:\n"
        f"{r['cpu_s']:.0f} s of CPU, {r['seconds']:.0f} s elapsed, {r['peak_mib']:.0f} MiB, page "
        f"{r['page_mb']:.1f} MB. Aim: 30 s, 1,500 MiB.\n\n"
        f"After a change of one value: {r['again_cpu_s']:.0f} s of CPU; {r['differ']:.0f} tables show it, "
        f"{r['rewritten']:.0f} were written.\n"
    )


def _data_dir() -> Path | None:
    found = os.environ.get("RECOLLECT_DATA")
    return Path(found) if found else None


SECTIONS: dict[str, Callable[[], str]] = {
    "steps": lambda: step_section(step_speed.measure(_data_dir())),
    "ewc": lambda: ewc_section(ewc_cost.measure()),
    "carried": lambda: carried_section(carried.measure(), carried.data_bytes()),
    "generator": lambda: generator_section(generator_speed.measure()),
    "report": lambda: report_section(report_speed.measure()),
    "pretrained": lambda: pretrained_section(pretrained_speed.measure()),
    "mmcl": lambda: mmcl_section(mmcl_speed.measure()),
    "planning": lambda: planning_section(planning.measure()),
    "bookkeeping": lambda: bookkeeping_section(bookkeeping.measure()),
    "start": lambda: start_section(start.measure()),
}


HEAD = "# Benchmarks\n\nWritten by `make bench`. Machines are noisy: the ratios are what counts.\n"


def measured(name: str) -> str:
    """One section with a line that says where, on which commit and beside how much other work it was taken."""
    commit = git_state()["commit"] or "unknown"
    where = f"{processor()}, Python {platform.python_version()}, torch {torch.__version__}, commit {commit[:12]}"
    text = SECTIONS[name]().rstrip()
    load = f"load {os.getloadavg()[1]:.0f} on {os.cpu_count()} processors"
    return f"<!-- {name} -->\n{text}\n\nTaken on {where}, {load}.\n"


def main(names: Sequence[str]) -> None:
    """Measure the named sections, all if none is named, and put each into the document when it is done."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.exit(f"benchmarks: no section {', '.join(unknown)}: choose among {', '.join(SECTIONS)}")
    old = TARGET.read_text() if TARGET.is_file() else ""
    kept = {
        name: f"<!-- {name} -->\n{text.rstrip()}\n"
        for name, text in re.findall(r"<!-- (\w+) -->\n(.*?)(?=\n<!-- |\Z)", old, flags=re.DOTALL)
    }
    for name in names or SECTIONS:
        sys.stderr.write(f"measuring {name} ...\n")
        kept[name] = measured(name)
        sys.stdout.write(f"{kept[name]}\n")
        write_text(TARGET, "\n".join([HEAD, *(kept[section] for section in SECTIONS if section in kept)]))
    sys.stdout.write(f"Written to {TARGET.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
