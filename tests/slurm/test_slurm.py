"""The workflow on a real SLURM: the same bytes as without one, whatever happens to nodes, jobs and controllers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster
from workflow_checkout import Checkout, copy_of_repository

from recollect.files import read_json

pytestmark = pytest.mark.slow
TABLE = "results/tables/small/accuracy.csv"
SUITE = {
    "methods": ["slow"],
    "seeds_per_job": 1,
    "overrides": {"slow": {"epochs": 10, "batch_size": 32}},
    "tables": [{"id": "accuracy", "title": "Small", "metrics": ["avg_acc_unweighted", "forgetting_max"]}],
}
"""Two jobs, one for each node."""
SLOW = """\
from time import sleep

from baselines import er
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy


def build(*, setting: Setting, buffer_size: int = 50) -> Strategy:
    strategy = er.build(setting=setting, buffer_size=buffer_size, replay_batch_size=8)
    step = strategy.optimizer_step

    def optimizer_step() -> None:
        step()
        sleep(SECONDS)

    strategy.optimizer_step = optimizer_step
    return strategy
"""
"""Replay that waits after each of its 450 steps: long enough for something to happen, at no cost."""
ENTRY = "\nslow:\n  label: Slow\n  defaults: {lr: 0.05, width: 32, buffer_size: 50, source: a test}\n"
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
    checkout = with_slow_method(tmp_path_factory.mktemp("local") / "repo", 0.0)
    result = checkout.snakemake(TABLE, config=SUITE)
    assert result.returncode == 0, result.stderr
    return (checkout.root / TABLE).read_bytes()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run."""
    made = with_slow_method(tmp_path / "repo", 0.1)
    made.configure(**SUITE)
    return made


def with_slow_method(folder: Path, seconds: float) -> Checkout:
    """A checkout with a method that waits so long after each step."""
    made = copy_of_repository(folder)
    (made.root / "methods/slow.py").write_text(SLOW.replace("SECONDS", str(seconds)))
    with (made.root / "config/methods.yaml").open("a") as methods:
        methods.write(ENTRY)
    return made


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_goes_on(cluster: Cluster) -> Iterator[None]:
    """What a failed test has left is ended."""
    yield
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    STARTED.clear()
    cluster.ask("scancel", "--user=root")


def submit(checkout: Checkout, cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    """Snakemake with the SLURM profile, in the background."""
    command = [sys.executable, "-m", "snakemake", TABLE, "--profile", "profiles/slurm", *FAST, *arguments]
    output = (checkout.root / "snakemake.log").open("a")
    process = subprocess.Popen(
        [*command, "--configfile", "small.yaml"], cwd=checkout.root, env=cluster.environment, stdout=output,
        stderr=output, text=True, start_new_session=True,
    )  # fmt: skip
    STARTED.append(process)
    return process


def log(checkout: Checkout) -> str:
    """What Snakemake said."""
    return (checkout.root / "snakemake.log").read_text()


def training(checkout: Checkout, cluster: Cluster) -> bool:
    """Whether some job is in the midst of training: a state is saved after every task, and gone at the end."""
    return bool(cluster.jobs("R")) and any(checkout.root.glob("results/runs/*/*/*/.state"))


def finish(process: subprocess.Popen[str], checkout: Checkout, cluster: Cluster, expected: bytes) -> None:
    """It ends well, and with the table of a run without cluster."""
    assert process.wait(timeout=900) == 0, log(checkout)[-3000:]
    assert (checkout.root / TABLE).read_bytes() == expected
    assert cluster.jobs("R,PD") == []


def test_the_same_table_as_without_a_cluster(checkout: Checkout, cluster: Cluster, expected: bytes) -> None:
    finish(submit(checkout, cluster), checkout, cluster, expected)
    submitted = re.findall(r"submitted with SLURM jobid (\d+)", log(checkout))
    assert len(submitted) == 2, "every training job was a SLURM job"
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
    cluster.wait(lambda: cluster.jobs("R,PD,CG") == [], "jobs do not end", 150)
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


def test_a_job_whose_time_is_nearly_up_saves_and_goes_on_in_the_next_try(
    checkout: Checkout, cluster: Cluster, expected: bytes
) -> None:
    """A minute is asked for at first, which is all margin; then two."""
    checkout.configure(**SUITE, runtime_minutes=1)
    process = submit(checkout, cluster)
    cluster.wait(lambda: bool(cluster.jobs("R")), "nothing runs", 300)
    assert "TimeLimit=00:01:00" in cluster.ask("scontrol", "show", "job", cluster.jobs("R")[0])
    finish(process, checkout, cluster, expected)
    submitted = re.findall(r"submitted with SLURM jobid (\d+)", log(checkout))
    limits = [re.search(r"TimeLimit=(\S+)", cluster.ask("scontrol", "show", "job", n)).group(1) for n in submitted]
    assert {"00:01:00", "00:02:00"} <= set(limits)
    assert log(checkout).count("the job's time is nearly up") >= 2
    records = [read_json(path, "") for path in checkout.root.glob("results/runs/*/*/*/run.json")]
    assert [record["resumed"] >= 1 for record in records] == [True, True]
