"""The workflow on a real SLURM: the same bytes as without one, whatever happens to nodes, jobs and controllers."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_cluster import Cluster
from workflow_checkout import Checkout, copy_of_repository

pytestmark = pytest.mark.slow
TABLE = "results/tables/small/accuracy.csv"
SUITE = {
    "methods": ["naive", "er"],
    "seeds_per_job": 1,
    "overrides": {
        "naive": {"epochs": 300, "batch_size": 10, "lr": 0.05},
        "er": {"epochs": 200, "batch_size": 10, "lr": 0.05},
    },
}
"""Four jobs of half a minute, on two nodes with two processors: long enough for something to happen to them."""
FAST = [
    "--slurm-status-command",
    "squeue",
    "--latency-wait",
    "5",
    "--slurm-init-seconds-before-status-checks",
    "3",
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> bytes:
    """The table of the suite without a cluster."""
    checkout = copy_of_repository(tmp_path_factory.mktemp("local") / "repo")
    result = checkout.snakemake(TABLE, config=SUITE)
    assert result.returncode == 0, result.stderr
    return (checkout.root / TABLE).read_bytes()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run."""
    made = copy_of_repository(tmp_path / "repo")
    made.configure(**SUITE)
    return made


def submit(checkout: Checkout, cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    """Snakemake with the SLURM profile, in the background."""
    command = [sys.executable, "-m", "snakemake", TABLE, "--profile", "profiles/slurm", *FAST, *arguments]
    output = (checkout.root / "snakemake.log").open("a")
    return subprocess.Popen(
        [*command, "--configfile", "small.yaml"], cwd=checkout.root, env=cluster.environment, stdout=output,
        stderr=output, text=True, start_new_session=True,
    )  # fmt: skip


def log(checkout: Checkout) -> str:
    """What Snakemake said."""
    return (checkout.root / "snakemake.log").read_text()


def training(checkout: Checkout, cluster: Cluster) -> bool:
    """Whether some job has begun to train: its log has a line of progress."""
    logs = checkout.root.glob("results/logs/train/*/*/*.log")
    return bool(cluster.jobs("R")) and any("task 1/5" in path.read_text() for path in logs)


def finish(process: subprocess.Popen[str], checkout: Checkout, cluster: Cluster, expected: bytes) -> None:
    """It ends well, and with the table of a run without cluster."""
    assert process.wait(timeout=900) == 0, log(checkout)[-3000:]
    assert (checkout.root / TABLE).read_bytes() == expected
    assert cluster.jobs("R,PD") == []


def test_the_same_table_as_without_a_cluster(checkout: Checkout, cluster: Cluster, expected: bytes) -> None:
    finish(submit(checkout, cluster), checkout, cluster, expected)
    submitted = re.findall(r"submitted with SLURM jobid (\d+)", log(checkout))
    assert len(submitted) == 4, "every training job was a SLURM job"
    states = [cluster.ask("scontrol", "show", "job", number) for number in submitted]
    assert all("JobState=COMPLETED" in state and "Restarts=0" in state for state in states)
    assert {re.search(r" NodeList=(\w+)", state).group(1) for state in states} == set(cluster.nodes)


def test_controller_restarted_node_lost_and_job_requeued(
    checkout: Checkout, cluster: Cluster, expected: bytes
) -> None:
    """All in one run, one after the other."""
    process = submit(checkout, cluster)
    cluster.wait(lambda: training(checkout, cluster), "no job trains", 600)
    cluster.kill("slurmctld")
    cluster.start_controller()
    cluster.wait(lambda: bool(cluster.jobs("R")), "jobs are forgotten")
    requeued = cluster.jobs("R")[0]
    cluster.ask("scontrol", "requeue", requeued)
    node = "n2"
    cluster.wait(lambda: bool(cluster.ask("squeue", "-h", "-t", "R", "-w", node)), "nothing runs there", 120)
    cluster.kill(node)
    cluster.wait(lambda: cluster.states()[node] == "down*", "the node's death goes unnoticed", 120)
    cluster.start_node(node)
    finish(process, checkout, cluster, expected)
    assert "Restarts=1" in cluster.ask("scontrol", "show", "job", requeued)


def test_everything_cancelled_and_snakemake_killed_then_run_again(
    checkout: Checkout, cluster: Cluster, expected: bytes
) -> None:
    """Jobs get a notice before they are killed, and save their state."""
    process = submit(checkout, cluster, "--retries", "0")
    cluster.wait(lambda: training(checkout, cluster), "no job trains", 600)
    process.send_signal(signal.SIGKILL)
    process.wait()
    cluster.ask("scancel", "--user=root")
    cluster.wait(lambda: cluster.jobs("R,PD,CG") == [], "jobs do not end", 60)
    told = [path.read_text() for path in checkout.root.glob("results/logs/train/*/*/*.log")]
    assert any("told to stop by SIGTERM" in text for text in told)
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--unlock", "--cores", "1", "--configfile", "small.yaml"],
        cwd=checkout.root, check=True, capture_output=True,
    )  # fmt: skip
    finish(submit(checkout, cluster), checkout, cluster, expected)
    assert any(
        "continues at task" in path.read_text() for path in checkout.root.glob("results/logs/train/*/*/*.log")
    )
