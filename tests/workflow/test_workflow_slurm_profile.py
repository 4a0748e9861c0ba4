"""What a newcomer on a cluster sees first: a dry run of the SLURM profile, without any data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from workflow_checkout import ROOT, Checkout

from recollect.config.schema import read_yaml

pytestmark = pytest.mark.slow
SUITE = "config/suites/adapt_align_fc.yaml"


def ask(checkout: Checkout, *command: str) -> str:
    """What Python prints with these arguments."""
    environment = {k: v for k, v in os.environ.items() if k != "RECOLLECT_DATA"}
    asked = subprocess.run(
        [sys.executable, "-m", *command], cwd=checkout.root, env=environment, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    return asked.stdout + asked.stderr


def test_a_dry_run_says_what_every_job_asks_for(fresh: Checkout) -> None:
    """Minutes of training come from committed runs where there are any, and `plan` shows the same."""
    for committed in ("published", "reproduced"):
        shutil.copytree(ROOT / "results" / committed, fresh.root / "results" / committed)
    said = ask(fresh, "snakemake", "-n", "--profile", "profiles/slurm", "--configfile", SUITE)
    asked = [line for line in said.splitlines() if line.startswith("    resources: ")]
    assert asked
    assert all(re.search(r"mem_mb=\d+, .*slurm_partition=main, runtime=\d+", line) for line in asked)
    job = r"^rule train.*?wildcards: (scenario=[\w-]+, method=[\w-]+).*?runtime=(\d+)"
    minutes = dict(re.findall(job, said, re.MULTILINE | re.DOTALL))
    suite = read_yaml(ROOT / SUITE)
    assert len(minutes) == len(suite["scenarios"]) * len(suite["methods"])
    assert minutes["scenario=omniglot_ci20, method=vae_naive"] == "120", "never measured"
    assert minutes["scenario=omniglot_ci20, method=adapt_align_vae"] != "120"
    planned = ask(fresh, "recollect", "plan", "--configfile", SUITE)
    rows = [line.split() for line in planned.splitlines() if line.startswith(("mnist", "omniglot"))]
    assert {f"scenario={row[0]}, method={row[1]}": row[8] for row in rows} == minutes
