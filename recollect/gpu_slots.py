"""Small runs share cards: every process takes a slot of one, before torch is loaded, and loses it when it ends.

A slot is a file under an advisory lock (``flock``), which the kernel releases with the process, however that ends.
Inside a SLURM job nothing is taken: there the scheduler has chosen the card.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from recollect.errors import RecollectError

SLOTS, NEED_MB, FOLDER, FAKE = (
    f"RECOLLECT_GPU_{name}" for name in ("SLOTS", "MEM_MB", "LOCKS", "LIST")
)  # fmt: skip
"""Environment: slots per card, free memory a run needs, folder of the locks, cards for tests: ``a:8000,b:90``."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
QUERY = ("nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits")
POLL_S = 1.0


class Card(NamedTuple):
    """A GPU or a part of one.

    Attributes:
        name: as CUDA_VISIBLE_DEVICES takes it: a UUID or a number.
        free_mb: memory that nobody uses now, MiB; None if unknown.
    """

    name: str
    free_mb: float | None


class Slot(NamedTuple):
    """A place on a card, kept while ``lock`` is open."""

    card: str
    lock: IO[bytes]


def cards(environment: Mapping[str, str] = os.environ) -> list[Card]:
    """The cards that this process may use: those of CUDA_VISIBLE_DEVICES if that is set, else all."""
    found = _fake(environment[FAKE]) if FAKE in environment else _asked()
    if VISIBLE not in environment:
        return [card for _, card in found]
    return [_named(name.strip(), found) for name in environment[VISIBLE].split(",") if name.strip()]


def _fake(text: str) -> list[tuple[str, Card]]:
    pairs = [entry.split(":") for entry in text.split(",") if entry]
    return [(str(i), Card(name, float(free))) for i, (name, free) in enumerate(pairs)]


def _asked() -> list[tuple[str, Card]]:
    if shutil.which(QUERY[0]) is None:
        return []
    try:
        result = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=30)
        rows = [[cell.strip() for cell in line.split(",")] for line in result.stdout.splitlines() if line]
        return [(index, Card(uuid, float(free))) for index, uuid, free in rows]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def _named(name: str, found: Sequence[tuple[str, Card]]) -> Card:
    """By number or by the beginning of its UUID; what nvidia-smi does not list (MIG) is taken at its word."""
    return next((card for index, card in found if name == index or card.name.startswith(name)), Card(name, None))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process chooses at a time."""
    with (folder / "choosing").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try(path: Path) -> IO[bytes] | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def take(found: Sequence[Card], slots: int, folder: Path, need_mb: float = 0.0) -> Slot | None:
    """A slot on the card with the fewest taken ones, then with most free memory; None if none is free.

    Args:
        found: cards to choose from.
        slots: how many processes may share a card.
        folder: of the locks, on a local disk, the same for all processes of this machine.
        need_mb: cards with less free memory than this are not taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        free = {
            card: [lock for n in range(slots) if (lock := _try(folder / f"{card.name}.{n}"))] for card in found
        }
        enough = [c for c in found if free[c] and (c.free_mb is None or c.free_mb >= need_mb)]
        best = max(enough, key=lambda c: (len(free[c]), c.free_mb or 0.0), default=None)
        for card, locks in free.items():
            for lock in locks[1:] if card == best else locks:
                lock.close()
        return None if best is None else Slot(best.name, free[best][0])


def hold(
    device: str, environment: Mapping[str, str] = os.environ, say: Callable[[str], object] = lambda text: None
) -> Slot | None:
    """Wait for a slot for a run on ``device``; None where none is needed: no card, the CPU, or a scheduler's job.

    Args:
        device: of the configuration; only ``auto`` and ``cuda`` leave the choice open.
        environment: see :data:`SLOTS` and the others; without the first nothing is shared out.
        say: told when there is none free.

    Raises:
        RecollectError: a value in the environment is no number.
    """
    slots, need_mb = int(_number(environment, SLOTS)), _number(environment, NEED_MB)
    if slots < 1 or device not in ("auto", "cuda") or "SLURM_JOB_ID" in environment or not cards(environment):
        return None
    folder = Path(environment.get(FOLDER) or Path(tempfile.gettempdir()) / f"recollect-gpu-{os.getuid()}")
    waiting = False
    while (slot := take(cards(environment), slots, folder, need_mb)) is None:
        if not waiting:
            need = f" and {need_mb:g} MiB" if need_mb else ""
            say(f"waiting for a card with a free slot{need}: {slots} runs share each of them\n")
        waiting = True
        time.sleep(POLL_S)
    return slot


def _number(environment: Mapping[str, str], name: str) -> float:
    text = environment.get(name) or "0"
    try:
        return float(text)
    except ValueError:
        raise RecollectError(f"{name} is {text!r} in the environment: set it to a number or unset it") from None
