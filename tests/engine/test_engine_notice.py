"""Told to stop, a run saves its state and stops; started again, it ends bit for bit as if nothing had happened."""

import os
import signal
import threading
import time

import pytest

from recollect.engine.notice import MARGIN_S, Notice, Stopped
from recollect.engine.record import STATE
from recollect.estimates import STOP_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_a_notice_while_listening(number):
    notice = Notice()
    before = signal.getsignal(number)
    with notice.listening():
        assert notice.reason == ""
        os.kill(os.getpid(), number)
        assert notice.reason == f"told to stop by {number.name}"
        with pytest.raises(
            Stopped, match=f"told to stop by {number.name}, before seed 3: the same command continues"
        ):
            notice.check("before seed 3")
    assert signal.getsignal(number) is before


def test_other_threads_listen_to_nothing():
    caught = []

    def listen():
        try:
            with Notice().listening():
                pass
        except ValueError as error:
            caught.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert caught == []


@pytest.mark.parametrize(
    ("environment", "left_s", "reason"),
    [
        ({}, None, ""),
        ({"SLURM_JOB_END_TIME": "soon"}, None, ""),
        ("SLURM_JOB_END_TIME", MARGIN_S + 30, ""),
        ("SLURM_JOB_END_TIME", MARGIN_S - 30, "the job's time is nearly up"),
    ],
)
def test_the_time_limit_of_a_job(environment, left_s, reason):
    if left_s is not None:
        environment = {environment: str(int(time.time() + left_s))}
    assert Notice.of_job(environment).reason == reason


def test_jobs_ask_for_the_time_in_which_they_stop():
    assert STOP_S == MARGIN_S


@pytest.mark.parametrize(
    ("answer", "left_s"),
    [
        ("2:05", 125),
        ("1:00:00", 3600),
        ("1-02:00:03", 26 * 3600 + 3),
        ("0:00", 0),
        ("UNLIMITED", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_squeue_is_asked_where_the_environment_says_nothing(tmp_path, monkeypatch, answer, left_s):
    squeue = tmp_path / "squeue"
    squeue.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho {answer}\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    end_time = Notice.of_job({"SLURM_JOB_ID": "17"}).end_time
    assert "--jobs 17" in (tmp_path / "asked").read_text()
    assert end_time is None if left_s is None else abs(end_time - time.time() - left_s) < 5


@pytest.mark.parametrize("environment", [{}, {"SLURM_JOB_ID": "17"}])
def test_no_job_or_no_squeue_is_no_time_limit(monkeypatch, tmp_path, environment):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Notice.of_job(environment).end_time is None


@pytest.fixture(scope="module")
def benchmark(tiny):
    """Three tasks of two classes."""
    return tiny.benchmark()


@pytest.mark.parametrize("method", ["derpp", "adapt_align_vae"])
@pytest.mark.parametrize("stop_at", [1, 7, 20])
def test_stopped_and_started_again(tiny, benchmark, tmp_path, method, stop_at):
    """At any step the state of just that step is saved, whatever the time between saves."""
    hyper = {
        "derpp": {"buffer_size": 9, "replay_batch_size": 4},
        "adapt_align_vae": {"latent": 2, "binary": 2, "gen_d": 2, "global_epochs": 7},
    }[method]

    def runner(folder, notice=None):
        made = tiny.runner(tmp_path / folder, method, benchmark, hyper=hyper, epochs=6, lr=0.01)
        made.notice = notice
        return made

    undisturbed = runner("whole")
    undisturbed.run()
    stopped = runner("stopped", notice := Notice())
    steps = stop_after(stopped, stop_at, notice)
    with pytest.raises(Stopped, match="told to stop by SIGTERM, at task"):
        stopped.run()
    assert len(steps) == stop_at, "not one step more"
    assert (tmp_path / "stopped" / STATE).is_file()
    again = runner("stopped")
    assert again.run()["resumed"] == 1
    assert tiny.difference(undisturbed.strategy.state_dict(), again.strategy.state_dict()) == ""


def stop_after(run, n, notice):
    """Send a run the signal in its n-th step; the list that is returned grows with every step."""
    build, steps = run._build, []

    def counting():
        strategy = build()
        update = strategy.optimizer_step

        def optimizer_step():
            update()
            steps.append(1)
            if len(steps) == n:
                notice.receive(signal.SIGTERM)

        strategy.optimizer_step = optimizer_step
        return strategy

    run._build = counting
    return steps
