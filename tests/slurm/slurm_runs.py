"""Snakemake with the SLURM profile, in the background, and what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

from slurm_cluster import Cluster
from workflow_checkout import Checkout

FAST = ["--slurm-status-command=squeue", "--latency-wait=5", "--slurm-init-seconds-before-status-checks=3"]
STARTED: list[subprocess.Popen[bytes]] = []


def submit(checkout: Checkout, cluster: Cluster, targets: Sequence[str], config: str) -> subprocess.Popen[bytes]:
    """Start Snakemake as somebody on the cluster would, but asking SLURM more often."""
    command = [sys.executable, "-m", "snakemake", *targets, "--profile", "profiles/slurm", *FAST]
    with (checkout.root / "snakemake.log").open("ab") as output:
        process = subprocess.Popen(
            [*command, "--configfile", config], cwd=checkout.root, env=cluster.environment, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
    STARTED.append(process)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it and all that it does on this machine itself; jobs of the cluster go on."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_started() -> None:
    """What a failed test has left is ended."""
    for process in STARTED:
        if process.poll() is None:
            kill(process)
    STARTED.clear()


def log(checkout: Checkout) -> str:
    """What Snakemake said."""
    return (checkout.root / "snakemake.log").read_text()


def submitted(checkout: Checkout) -> list[str]:
    """Numbers of all SLURM jobs."""
    return re.findall(r"submitted with SLURM jobid (\d+)", log(checkout))


def finish(process: subprocess.Popen[bytes], cluster: Cluster, seconds: float = 900.0) -> None:
    """Wait for a good end."""
    cluster.wait(lambda: process.poll() is not None, "Snakemake does not end", seconds)
    assert process.returncode == 0, "see snakemake.log below"
    assert cluster.jobs("R,PD") == []
