"""Being told to stop: by a signal, as schedulers send before they kill, or because the job's time is nearly up.

A notice interrupts nothing. Training looks at it after every step, saves its state and stops, so that the next
start of the same command goes on at that step.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from recollect.errors import RecollectError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
END_TIME, JOB = "SLURM_JOB_END_TIME", "SLURM_JOB_ID"
"""Set by SLURM for every job; the first, in seconds since 1970, by new versions only (not by 22.05)."""
LEFT = re.compile(r"(?:(?:(?P<days>\d+)-)?(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")
"""How ``squeue`` writes a time."""
MARGIN_S = 60.0
"""Before the end: a state is written in seconds, a shared file system may take longer."""


class Stopped(RecollectError):  # noqa: N818 - a state of a run
    """Training was told to stop, and did."""


class Notice:
    """Whether it is time to stop, and why.

    Args:
        end_time: when the job is killed, seconds since 1970; None if nobody says.
    """

    def __init__(self, end_time: float | None = None) -> None:
        self.end_time = end_time
        self.signal: int | None = None

    @classmethod
    def of_job(cls, environment: Mapping[str, str] = os.environ) -> Notice:
        """Knows the time limit of the SLURM job that this process belongs to, if it does."""
        text = environment.get(END_TIME, "")
        return cls(float(text) if text.isdecimal() else _end_time_by_squeue(environment.get(JOB, "")))

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Take note of a signal."""
        self.signal = number

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While it lasts, signals are notices; Python delivers them to the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.receive) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self, where: str) -> None:
        """Raise :class:`Stopped` if it is time."""
        if self.reason:
            raise Stopped(f"{self.reason}, {where}: the same command continues there")

    @property
    def reason(self) -> str:
        """Why it is time to stop; empty while it is not."""
        if self.signal is not None:
            return f"told to stop by {signal.Signals(self.signal).name}"
        if self.end_time is not None and time.time() > self.end_time - MARGIN_S:
            return "the job's time is nearly up"
        return ""


def _end_time_by_squeue(job: str) -> float | None:
    """What SLURM says when asked; None where there is no job, no limit or no answer."""
    if not job.isdecimal():
        return None
    asked = ["squeue", "--noheader", "--jobs", job, "--format", "%L"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    left = LEFT.fullmatch(answer.strip())
    if left is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in left.groups())
    return time.time() + ((days * 24 + hours) * 60 + minutes) * 60 + seconds
