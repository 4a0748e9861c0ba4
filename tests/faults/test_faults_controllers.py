"""Two Snakemakes in one folder: the second says so and leaves the first alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
from workflow_checkout import copy_of_repository

pytestmark = pytest.mark.slow
TARGET = "results/data/digits/dataset.json"


def made(root: Path) -> dict[Path, int]:
    """Every file of the results with the time of its last change, ns."""
    return {path: path.stat().st_mtime_ns for path in (root / "results").rglob("*") if path.is_file()}


def test_the_second_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    checkout = copy_of_repository(tmp_path / "repo")
    checkout.configure()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", TARGET, "--configfile", "small.yaml"]
    first = subprocess.Popen(
        command, cwd=checkout.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        end = time.monotonic() + 120
        while not list(checkout.root.glob(".snakemake/locks/*")) and time.monotonic() < end:
            time.sleep(0.01)
        # However slow this machine is, the first and its job are still at it: both are stopped, wherever they are.
        os.killpg(first.pid, signal.SIGSTOP)
        assert first.poll() is None
        before = made(checkout.root)
        second = checkout.snakemake(TARGET)
        assert second.returncode != 0
        said = second.stdout + second.stderr
        assert "Directory cannot be locked" in said
        assert "Traceback" not in said
        assert made(checkout.root) == before
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert first.wait(timeout=120) == 0
    assert (checkout.root / TARGET).exists()
    assert checkout.planned().get("fetch") is None
