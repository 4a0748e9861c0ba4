"""A real SLURM on this machine: munge, a controller and several node daemons, started and stopped by the tests.

Everything lies in one folder and listens on this machine only; nothing of an installed cluster is touched. Needs
root and Debian's packages slurm-wlm and munge.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
ASKED_TOO = ("sacct", "sacctmgr", "sshare")
"""Commands that Snakemake may ask, and that know little without accounting."""
CONFIGURATION = """\
ClusterName=recollect
SlurmctldHost=localhost
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SlurmdParameters=config_overrides
SlurmctldTimeout=10
SlurmdTimeout=20
KillWait=60
MinJobAge=86400
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
JobRequeue=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty if there can."""
    if not os.environ.get("RECOLLECT_SLURM"):
        return "starting a cluster takes minutes: set RECOLLECT_SLURM=1 to test it"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"SLURM is not installed (no {', '.join(absent)}): apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "starting SLURM's daemons needs root"


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Daemons that live as long as the tests. ``environment`` is that of somebody who works on the cluster.

    Args:
        folder: for all files; its path must be short, as sockets lie in it.
        nodes: their names, one processor each.
    """

    def __init__(self, folder: Path, nodes: Sequence[str] = ("n1", "n2")) -> None:
        self.folder, self.nodes = folder, list(nodes)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        controller, *ports = _free_ports(1 + len(self.nodes))
        lines = [
            f"NodeName={node} NodeHostname=localhost Port={port} CPUs=1 RealMemory=64000"
            for node, port in zip(self.nodes, ports, strict=True)
        ]
        text = CONFIGURATION.format(controller_port=controller, folder=folder, nodes="\n".join(lines))
        (folder / "slurm.conf").write_text(text)
        for node in self.nodes:
            (folder / "spool" / node).mkdir(parents=True)
        (folder / "state").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(stat.S_IRUSR)
        self.environment = {**os.environ, "PATH": f"{self._commands()}:{os.environ['PATH']}"}

    def _commands(self) -> Path:
        """SLURM's commands for this cluster: Snakemake takes SLURM_CONF from the environment of its jobs."""
        folder = self.folder / "bin"
        folder.mkdir()
        for name in filter(shutil.which, [*NEEDED, *ASKED_TOO]):
            script = folder / name
            script.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which(name)} "$@"\n')
            script.chmod(0o755)
        return folder

    # Daemons -------------------------------------------------------------------------------------

    def _daemon(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self.daemons[name] = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def start(self) -> None:
        """Start all daemons and wait until every node is idle."""
        files = {name: f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "log", "pid", "seed")}
        self._daemon(
            "munged", "munged", "--force", "--foreground", f"--socket={self.folder}/munge.sock", *files.values()
        )
        self.wait(lambda: (self.folder / "munge.sock").exists(), "munged makes no socket")
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until nothing runs and every node is there for jobs."""
        self.wait(lambda: self.states() == dict.fromkeys(self.nodes, "idle"), "nodes do not get idle", 180)

    def restore(self) -> None:
        """Start what is not running, and wait until it is there."""
        if "slurmctld" not in self.daemons:
            self.start_controller()
        for node in self.nodes:
            if node not in self.daemons:
                self.start_node(node)
        self.wait_until_idle()

    def start_controller(self) -> None:
        """Start slurmctld, with the state it had."""
        self._daemon("slurmctld", "slurmctld", "-D")

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def kill(self, name: str) -> None:
        """Kill a daemon at once; what runs on a node goes with it, as in a power cut."""
        for job in self.jobs("all", name) if name in self.nodes else []:
            for daemon in self._step_daemons(job):
                self._kill_tree(daemon)
        daemon = self.daemons.pop(name)
        self._kill_tree(daemon.pid)
        daemon.wait()

    @staticmethod
    def _step_daemons(job: str) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_bytes().startswith(f"slurmstepd: [{job}.".encode()):
                    found.append(int(path.parent.name))
        return found

    @staticmethod
    def _kill_tree(pid: int) -> None:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
        )
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        for child in listed.stdout.split():
            Cluster._kill_tree(int(child))

    def stop(self) -> None:
        """Cancel all jobs and stop all daemons."""
        self.ask("scancel", "--user=root")
        for name in reversed(list(self.daemons)):
            self.kill(name)

    # Questions -----------------------------------------------------------------------------------

    def ask(self, *command: str) -> str:
        """What a SLURM command prints; nothing while the controller does not answer."""
        try:
            asked = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30)
        except subprocess.TimeoutExpired:
            return ""
        return asked.stdout

    def states(self) -> dict[str, str]:
        """Node -> state."""
        return dict(line.split() for line in self.ask("sinfo", "-hN", "-o", "%N %t").splitlines())

    def jobs(self, state: str = "R", node: str = "") -> list[str]:
        """Numbers of the jobs in a state, on a node or on all."""
        where = ["-w", node] if node else []
        return self.ask("squeue", "-h", "-t", state, *where, "-o", "%A").split()

    def about(self, job: str) -> dict[str, str]:
        """What SLURM knows of a job, also after its end."""
        pairs = (word.partition("=") for word in self.ask("scontrol", "show", "job", job).split())
        return {key: value for key, _, value in pairs}

    def wait(self, condition: Callable[[], bool], message: str, seconds: float = 300.0) -> None:
        """Wait until a condition holds; the time is for machines that are busy with other work."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{message} in {seconds:.0f} s")
            time.sleep(0.5)

    def logs(self) -> dict[str, str]:
        """The end of what every daemon said."""
        paths = [*sorted(self.folder.glob("*.log")), *sorted(self.folder.glob("*.out"))]
        return {path.name: path.read_text(errors="replace")[-3000:] for path in paths}
