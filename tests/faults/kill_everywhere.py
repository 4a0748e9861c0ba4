"""Kill a suite at random moments, start it again each time, and compare what comes out with an undisturbed run.

    python tests/faults/kill_everywhere.py --kills 50 --seed 0        (make faults)

Both runs happen in fresh copies of the repository. A kill is SIGKILL to Snakemake and everything below it. Tables
must have the same bytes and predictions the same hashes; tables of cost hold times and are not compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))

from workflow_checkout import copy_of_repository  # noqa: E402


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Snakemake in the background, as the leader of a process group of its own."""
    with (folder / "snakemake.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments], cwd=folder, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the whole group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unlock(folder: Path, arguments: list[str]) -> None:
    """What Snakemake asks for after it was killed."""
    command = [sys.executable, "-m", "snakemake", "--unlock", "--cores", "1", *arguments]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)


def outcome(folder: Path) -> dict[str, str]:
    """Hash of every table but those of cost, and the predictions' or snapshots' hashes of every run."""
    tables = [path for path in sorted(folder.glob("results/tables/*/*.*")) if not path.stem.startswith("cost")]
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in tables}
    for path in sorted(folder.glob("results/runs/*/*/*/run.json")):
        record = json.loads(path.read_text())
        made = [record["predictions_sha256"], record["snapshots"], record["status"]]
        found[str(path.relative_to(folder))] = json.dumps(made, sort_keys=True)
    return found


def finished_runs(folder: Path) -> set[str]:
    """Runs whose record is there, under either of their names."""
    return {str(path.parent) for path in folder.glob("results/runs/*/*/*/run.json")}


def disturbed(
    folder: Path, arguments: list[str], kills: int, spacing: tuple[float, float], rng: random.Random
) -> int:
    """Run to the end in spite of ``kills`` kills; how many there really were before it was done."""
    for number in range(kills):
        process = start(folder, arguments)
        try:
            code = process.wait(timeout=rng.uniform(*spacing))
        except subprocess.TimeoutExpired:
            kill(process)
            unlock(folder, arguments)
            sys.stderr.write(f"kill {number + 1} of {kills}: {len(finished_runs(folder))} runs finished\n")
            continue
        if code != 0:
            raise SystemExit(f"after {number} kills the suite failed: see {folder}/snakemake.log")
        return number
    return kills


def main() -> int:
    """Status 0 if nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--spacing", type=float, nargs=2, default=(2.0, 24.0), help="seconds between start and kill"
    )
    parser.add_argument("--configfile", type=Path, help="a suite; default: the default one")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    chosen = parser.parse_args()
    arguments = ["--configfile", str(chosen.configfile.resolve())] if chosen.configfile else []
    folder = Path(tempfile.mkdtemp(prefix="recollect-faults-"))
    began = time.monotonic()
    quiet, wild = (copy_of_repository(folder / name).root for name in ("undisturbed", "killed"))
    if start(quiet, arguments).wait() != 0:
        raise SystemExit(f"the undisturbed suite failed: see {quiet}/snakemake.log")
    sys.stderr.write(f"undisturbed: {time.monotonic() - began:.0f} s\n")
    kills = disturbed(wild, arguments, chosen.kills, tuple(chosen.spacing), random.Random(chosen.seed))
    if start(wild, arguments).wait() != 0:
        raise SystemExit(f"the suite failed after the kills: see {wild}/snakemake.log")
    expected, found = outcome(quiet), outcome(wild)
    different = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    sys.stdout.write(
        f"{kills} kills, {len(expected)} tables and runs compared, {len(different)} different, "
        f"{time.monotonic() - began:.0f} s\n" + "".join(f"different: {key}\n" for key in different)
    )
    if not chosen.keep and not different:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
