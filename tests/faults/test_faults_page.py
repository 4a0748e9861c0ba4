"""MLflow's page really listens on this machine only (long form: the server takes a while to start)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not os.environ.get("RECOLLECT_FAULTS"), reason="long form only: set RECOLLECT_FAULTS=1 or `make faults`"
)
LISTENING = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000")


def listeners(port: int) -> set[str]:
    """Local addresses, in the kernel's notation, that somebody listens on at this port."""
    rows = [
        line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    sockets = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {address for address, number in sockets if int(number, 16) == port}


def test_listens_on_loopback_only(tmp_path: Path) -> None:
    from recollect.tracking import ingest

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    ingest([], None, uri)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "recollect", "ui", "--uri", uri, "--port", str(port)]
    page = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 300
        while not listeners(port) and page.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        found = listeners(port)
    finally:
        os.killpg(page.pid, signal.SIGKILL)
        page.wait()
    assert found, "the page does not listen at all"
    assert found <= set(LOOPBACK)
