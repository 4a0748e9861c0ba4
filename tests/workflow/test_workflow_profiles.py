"""What the profiles tell Snakemake is understood by it, and keeps its bookkeeping from growing with the jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake.cli import parse_args

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("profiles", [[], ["--profile", "profiles/slurm"]])
def test_few_of_the_ready_jobs_are_looked_at_after_every_job(
    profiles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without, Snakemake looks at all that are ready, and at their input files: ten thousand jobs never end."""
    monkeypatch.chdir(ROOT)
    _, options = parse_args(["--cores", "2", "--workflow-profile", "profiles/default", *profiles])
    assert options.scheduler == "greedy"
    assert options.scheduler_subsample <= 1000
    # As many as may run at once must be among them.
    assert options.scheduler_subsample >= int(options.jobs or 1)
