"""The workflow on a real SLURM: the same bytes as without one, whatever happens to nodes, jobs and controllers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_cluster import Cluster
from slurm_runs import finish, kill, log, submit, submitted
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
GO = "go"
"""While this file is missing, training waits a second after each of its 450 steps: a test is never too late."""
SLOW = f"""\
from pathlib import Path
from time import sleep

from baselines import er
from recollect.engine.settings import Setting
from recollect.engine.strategy import Strategy

GO = Path(__file__).parents[1] / "{GO}"


def build(*, setting: Setting, buffer_size: int = 50) -> Strategy:
    strategy = er.build(setting=setting, buffer_size=buffer_size, replay_batch_size=8)
    step = strategy.optimizer_step

    def optimizer_step() -> None:
        step()
        if not GO.exists():
            sleep(1)

    strategy.optimizer_step = optimizer_step
    return strategy
"""
ENTRY = "\nslow:\n  label: Slow\n  defaults: {lr: 0.05, width: 32, buffer_size: 50, source: a test}\n"


def with_slow_method(folder: Path) -> Checkout:
    """A checkout with a method that can be made to wait."""
    made = copy_of_repository(folder)
    (made.root / "methods/slow.py").write_text(SLOW)
    with (made.root / "config/methods.yaml").open("a") as methods:
        methods.write(ENTRY)
    made.configure(**SUITE)
    return made


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Checkout:
    """The suite without a cluster."""
    made = with_slow_method(tmp_path_factory.mktemp("local") / "repo")
    go_on(made)
    result = made.snakemake(TABLE, config=SUITE)
    assert result.returncode == 0, result.stderr
    return made


@pytest.fixture
def checkout(tmp_path: Path, local: Checkout) -> Checkout:
    """A checkout in which data are ready and nothing was trained."""
    made = with_slow_method(tmp_path / "repo")
    for name in ("data", "splits"):
        shutil.copytree(local.root / "results" / name, made.root / "results" / name)
    return made


def go_on(checkout: Checkout) -> None:
    """From now on training does not wait any more."""
    (checkout.root / GO).touch()


def wait_for_training(checkout: Checkout, cluster: Cluster) -> None:
    """Until both jobs are in the midst of training: a state is saved every few seconds, and gone at the end."""
    states = "results/runs/*/*/*/.state"
    cluster.wait(
        lambda: len(list(checkout.root.glob(states))) == len(cluster.jobs("R")) == 2, "two jobs do not train", 900
    )


def same_table(checkout: Checkout, local: Checkout) -> bool:
    """Byte for byte."""
    return (checkout.root / TABLE).read_bytes() == (local.root / TABLE).read_bytes()


def resumed(checkout: Checkout) -> list[bool]:
    """Of each run, whether it went on from a saved state."""
    records = [read_json(path, "") for path in sorted(checkout.root.glob("results/runs/*/*/*/run.json"))]
    return [record["resumed"] >= 1 for record in records]


def test_the_same_table_as_without_a_cluster(checkout: Checkout, cluster: Cluster, local: Checkout) -> None:
    go_on(checkout)
    finish(submit(checkout, cluster, [TABLE], "small.yaml"), cluster)
    assert same_table(checkout, local)
    jobs = [cluster.about(number) for number in submitted(checkout)]
    assert len(jobs) == 2, "every training job was a SLURM job"
    assert all(job["JobState"] == "COMPLETED" and job["Restarts"] == "0" for job in jobs)
    assert {job["NodeList"] for job in jobs} == set(cluster.nodes)
    assert resumed(checkout) == [False, False]


def test_controller_restarted_job_requeued_and_node_lost(
    checkout: Checkout, cluster: Cluster, local: Checkout
) -> None:
    """All in one run, one after the other."""
    process = submit(checkout, cluster, [TABLE], "small.yaml")
    wait_for_training(checkout, cluster)
    running = sorted(cluster.jobs("R"))
    cluster.kill("slurmctld")
    cluster.start_controller()
    cluster.wait(lambda: sorted(cluster.jobs("R")) == running, "jobs are forgotten")
    (requeued,), (lost,) = (cluster.jobs("R", node) for node in cluster.nodes)
    cluster.ask("scontrol", "requeue", requeued)
    cluster.wait(lambda: cluster.about(requeued).get("Restarts") == "1", "the job is not requeued")
    node = cluster.nodes[1]
    cluster.kill(node)
    cluster.wait(lambda: cluster.states().get(node) == "down*", "the node's death goes unnoticed")
    cluster.start_node(node)
    go_on(checkout)
    finish(process, cluster)
    assert same_table(checkout, local)
    assert submitted(checkout) == running, "Snakemake left both to SLURM"
    assert [cluster.about(job)["Restarts"] for job in (requeued, lost)] == ["1", "1"]
    assert resumed(checkout) == [True, True]


def test_everything_cancelled_and_snakemake_killed_then_run_again(
    checkout: Checkout, cluster: Cluster, local: Checkout
) -> None:
    """Jobs get a notice before they are killed, and save their state."""
    process = submit(checkout, cluster, [TABLE], "small.yaml")
    wait_for_training(checkout, cluster)
    kill(process)
    cluster.ask("scancel", "--user=root")
    cluster.wait(lambda: cluster.jobs("R,PD,CG") == [], "jobs do not end")
    told = [path.read_text() for path in checkout.root.glob("results/logs/train/*/*/*.log")]
    assert ["told to stop by SIGTERM, at task" in text for text in told] == [True, True]
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--unlock", "--cores", "1", "--configfile", "small.yaml"],
        cwd=checkout.root, check=True, capture_output=True,
    )  # fmt: skip
    go_on(checkout)
    finish(submit(checkout, cluster, [TABLE], "small.yaml"), cluster)
    assert same_table(checkout, local)
    assert resumed(checkout) == [True, True]


def test_a_job_whose_time_is_nearly_up_saves_and_goes_on_in_the_next_try(
    checkout: Checkout, cluster: Cluster, local: Checkout
) -> None:
    """Two minutes are asked for at first, the last of them is margin; then four."""
    checkout.configure(**SUITE, runtime_minutes=2)
    process = submit(checkout, cluster, [TABLE], "small.yaml")
    stopped = re.compile(r"the job's time is nearly up, at task")
    cluster.wait(lambda: len(stopped.findall(log(checkout))) >= 2, "no job stops in time", 900)
    go_on(checkout)
    finish(process, cluster)
    assert same_table(checkout, local)
    assert {"00:02:00", "00:04:00"} <= {cluster.about(number)["TimeLimit"] for number in submitted(checkout)}
    assert resumed(checkout) == [True, True]
