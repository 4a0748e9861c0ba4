"""One start of Snakemake: what its log says of jobs, and SIGKILL to it and everything below it."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

RULE = re.compile(r"^(?:local)?rule ([\w-]+):$")
FIELD = re.compile(r"^    (output|jobid): (.+)$")
FINISHED = re.compile(r"^Finished jobid: (\d+)")
STATISTICS = re.compile(r"^([\w-]+) +(\d+)$")
TARGETS = ("all", "total")
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Grandchildren whose parents were killed become children of this process, which can wait for them."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def environment() -> dict[str, str]:
    """Compiled modules are kept: 50 starts would compile torch and Snakemake again in every process."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


class Log:
    """What Snakemake said so far. Jobs are (rule, first output).

    Args:
        path: the file that it writes to.

    Attributes:
        planned: rule -> jobs.
        begun, finished: jobs, in order.
        running: by Snakemake's number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.planned: dict[str, int] = {}
        self.running: dict[str, tuple[str, str]] = {}
        self.begun: list[tuple[str, str]] = []
        self.finished: list[tuple[str, str]] = []
        self._rule, self._output, self._read = "", "", 0

    def read(self) -> None:
        """Go on reading at the line where the last reading ended."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole + end)
        for line in whole.decode(errors="replace").split("\n"):
            self._understand(line)

    def _understand(self, line: str) -> None:
        """Lines of jobs stand between those of Snakemake and are passed over."""
        if found := RULE.match(line):
            self._rule, self._output = found[1], ""
        elif (found := FIELD.match(line)) and self._rule:
            if found[1] == "output":
                self._output = found[2].split(",")[0]
            elif self._rule not in TARGETS:
                self.running[found[2]] = (self._rule, self._output)
                self.begun.append((self._rule, self._output))
        elif found := FINISHED.match(line):
            if job := self.running.pop(found[1], None):
                self.finished.append(job)
        elif (found := STATISTICS.match(line)) and not self.begun and found[1] not in TARGETS:
            self.planned[found[1]] = int(found[2])


class Start:
    """Snakemake in the background, as the leader of a process group of its own.

    Args:
        folder: a copy of the repository.
        arguments: beside the number of cores.
        log: where it writes.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], log: Path) -> None:
        self.log = Log(log)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--cores", "2", *arguments], cwd=folder, stdout=output,
                stderr=output, start_new_session=True, env=environment(),
            )  # fmt: skip

    def look(self) -> int | None:
        """Read what was said meanwhile; the exit status, None while it runs."""
        status = self.process.poll()
        self.log.read()
        return status

    def to_the_end(self) -> Log:
        """Wait; what it said. A failure ends this process."""
        if self.process.wait() != 0:
            raise SystemExit(f"the suite failed: see {self.log.path}")
        self.log.read()
        return self.log

    def kill(self) -> None:
        """SIGKILL to the whole group; nothing of it lives on."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.01)
            except ChildProcessError:
                self.log.read()
                return
        raise SystemExit("a process of the workflow left its group and survived SIGKILL")


def locked(folder: Path) -> bool:
    """Whether Snakemake would refuse to start."""
    return any(folder.glob(".snakemake/locks/*"))


def unlock(folder: Path, arguments: Sequence[str]) -> None:
    """What Snakemake asks for after it was killed."""
    command = [sys.executable, "-m", "snakemake", "--unlock", "--cores", "1", *arguments]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, env=environment())
    if locked(folder):
        raise SystemExit("`snakemake --unlock` left a lock")


def remove_lock(folder: Path) -> None:
    """All that ``--unlock`` does, without the seconds that it plans for first."""
    shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
