"""Kill a suite at random moments, start it again each time, and compare what comes out with an undisturbed run.

    python tests/faults/kill_everywhere.py --kills 50 --seed 0        (make faults)

A kill is SIGKILL to Snakemake and everything below it. The moments are drawn beforehand, everywhere in the DAG
(``moments.py``). Afterwards no finished run may have been trained again; runs and weights must have the same
hashes and tables the same bytes as those of a run that nothing disturbed: the results of this checkout, if they
are complete and of the same code, or else those of a copy, made first.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "workflow")]
os.environ["PYTHONPATH"] = str(ROOT)

from comparing import different, outdated, records, sha256  # noqa: E402
from moments import RUN, STARTING, Moment, draw, due  # noqa: E402
from snakemake_start import Log, Start, adopt_orphans, locked, remove_lock, unlock  # noqa: E402
from workflow_checkout import copy_of_repository  # noqa: E402

from recollect.config.schema import read_yaml  # noqa: E402
from recollect.config.suite import Suite  # noqa: E402
from recollect.plan import Plan  # noqa: E402

LOOK_S = 0.1
LAST_STEP = "report"
Mark = tuple[int, str]


def say(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(text + "\n")


@dataclass
class Disturbed:
    """A suite that is killed again and again.

    Args:
        root: a copy of the repository.
        arguments: of Snakemake.
        logs: where the log of every start goes.
        runs: how many the suite trains.
        pace_s: seconds from a start of Snakemake to its first job, on this machine, lately.
        until: no kill after this moment of the monotonic clock.
    """

    root: Path
    arguments: list[str]
    logs: Path
    runs: int
    pace_s: float
    until: float = math.inf
    starts: int = 0
    unlocked: bool = False
    hit: Counter[str] = field(default_factory=Counter)
    begun: set[tuple[str, str]] = field(default_factory=set)
    finished: set[tuple[str, str]] = field(default_factory=set)
    again: list[str] = field(default_factory=list)
    kept: dict[Path, Mark] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def start(self, *more: str) -> Start:
        """Snakemake once more."""
        self.starts += 1
        return Start(self.root, [*more, *self.arguments], self.logs / f"start-{self.starts:03}.log")

    def stored(self) -> list[Path]:
        """Records of finished runs, under the name that outlives a repeated job."""
        return list((self.root / "results").glob("runs/*/*/*/.finished/run.json"))

    def counted(self, log: Log) -> Counter[str]:
        """How often things of every kind have begun or finished, in all starts together."""
        found = Counter(rule for rule, _ in self.begun | set(log.begun))
        found[RUN], found[STARTING] = len(self.stored()), self.starts
        return found

    def hits(self, kind: str, log: Log) -> bool:
        """Whether a kill would hit a job of this kind; any job, where those that began are finished."""
        running = {rule for rule, _ in log.running.values()}
        jobs = {(rule, output) for rule, output in self.begun | set(log.begun) if rule == kind}
        over = jobs <= self.finished | set(log.finished)
        return kind == STARTING or kind in running or bool(running and over)

    def audit(self) -> None:
        """Finished runs are as they were: the same file, with the same times of training in it."""
        now = {path: (path.stat().st_ino, sha256(path)) for path in self.stored()}
        self.lost += [str(path.parent) for path, mark in self.kept.items() if now.get(path) != mark]
        self.kept = now

    def note(self, log: Log) -> None:
        """Remember what a start that is over has done."""
        self.again += [f"{rule} {output}" for rule, output in log.begun if (rule, output) in self.finished]
        self.begun |= set(log.begun)
        self.finished |= set(log.finished)
        self.audit()

    def kill_at(self, moments: list[Moment], *more: str) -> Moment | None:
        """Start, wait for the first moment that comes, kill. None if the suite was done before."""
        start, began = self.start(*more), time.monotonic()
        chosen, since, counting = None, 0.0, False
        while start.look() is None:
            if start.log.begun and not counting:
                counting, self.pace_s = True, time.monotonic() - began
            if time.monotonic() < self.until:
                chosen = chosen or due(moments, self.counted(start.log))
            if chosen and not since and self.hits(chosen.kind, start.log):
                since = time.monotonic()
            if chosen and since and time.monotonic() - since >= chosen.delay * self.pace_s:
                start.kill()
                self.after(start.log, chosen, time.monotonic() - began)
                return chosen
            time.sleep(LOOK_S)
        self.note(start.to_the_end())
        return None

    def after(self, log: Log, moment: Moment, alive_s: float) -> None:
        """Say what was hit, and take Snakemake's lock away: once by its own command, which plans for that."""
        running = sorted({rule for rule, _ in log.running.values()}) or [STARTING]
        self.hit.update(running)
        self.note(log)
        say(
            f"{moment}; lived {alive_s:.0f} s; hit {', '.join(running)}; {len(self.kept)} of {self.runs} runs kept"
        )
        if locked(self.root) and not self.unlocked:
            unlock(self.root, self.arguments)
            self.unlocked = True
        remove_lock(self.root)

    def survive(self, moments: list[Moment]) -> int:
        """Run until every moment has come, or time is up, and the suite is done; the number of kills."""
        waiting, more = list(moments), []
        while waiting and time.monotonic() < self.until:
            came = self.kill_at(waiting, *more)
            if came is None:  # the last steps were quicker than their moments: those steps once more
                waiting = [replace(moment, delay=moment.delay / 4) for moment in waiting]
                last = waiting[0].kind if waiting[0].kind not in (RUN, STARTING) else LAST_STEP
                self.finished.clear()
                more = ["--forcerun", last]
                continue
            waiting.remove(came)
            more = []
        self.note(self.start().to_the_end())
        return len(moments) - len(waiting)


def suite_of(configfiles: list[Path]) -> Suite:
    """What Snakemake makes of the default configuration and these files."""
    files = [ROOT / "config" / "default.yaml", *configfiles]
    return Suite.load({key: value for path in files for key, value in read_yaml(path).items()}, files)


def measure(against: Path | None, suite: Suite, arguments: list[str], folder: Path) -> Path:
    """A folder with undisturbed results: the named one, this checkout, or a copy in which they are made."""
    root = against or ROOT
    problem = outdated(root, suite, arguments)
    if not problem:
        return root
    if against:
        raise SystemExit(f"--against {against}: {problem}")
    say(f"the results of this checkout are no measure, {problem}: they are made in a copy first")
    began, copy = time.monotonic(), copy_of_repository(folder / "undisturbed").root
    Start(copy, arguments, folder / "undisturbed.log").to_the_end()
    say(f"undisturbed: {time.monotonic() - began:.0f} s")
    return copy


def load() -> str:
    """How busy the machine is with this and anything else."""
    return f"load {os.getloadavg()[0]:.1f}"


def processor_s() -> float:
    """Of all processes that were started and waited for, killed ones too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(wild: Disturbed, kills: int, compared: int, different: int) -> str:
    """What was hit, and what came of it."""
    resumed = sum(record["resumed"] > 0 for record in records(wild.root).values())
    hits = ", ".join(f"{rule} {count}" for rule, count in sorted(wild.hit.items()))
    return (
        f"{kills} kills of a suite of {wild.runs} runs; hit: {hits}\n"
        f"{len(set(wild.lost))} finished runs lost, {resumed} runs continued, "
        f"{len(wild.again)} finished jobs done again\n"
        f"{compared} runs, weights, values and tables compared, {different} different\n"
    )


def chosen() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=2.0, help="delay of a kill, in starts of Snakemake")
    parser.add_argument("--within", type=float, default=math.inf, help="minutes after which nothing is killed")
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="a suite; default: the default one")
    parser.add_argument("--against", type=Path, help="a checkout with undisturbed results; default: see above")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    return parser.parse_args()


def main() -> int:
    """Status 0 if nothing was lost and nothing differs."""
    given, folder = chosen(), Path(tempfile.mkdtemp(prefix="recollect-faults-"))
    files = [path.resolve() for path in given.configfile]
    suite, arguments = suite_of(files), ["--configfile", *map(str, files)] if files else []
    say(f"{folder}: {load()}")
    adopt_orphans()
    quiet = measure(given.against and given.against.resolve(), suite, arguments, folder)
    began, used = time.monotonic(), processor_s()
    copy = copy_of_repository(folder / "killed").root
    jobs = Start(copy, ["-n", *arguments], folder / "plan.log").to_the_end().planned
    runs = len(suite.pairs) * len(suite.seeds)
    moments = draw(jobs, runs, given.kills, given.longest, random.Random(given.seed))
    now = time.monotonic()
    wild = Disturbed(copy, arguments, folder, runs, now - began, now + 60 * given.within)
    kills = wild.survive(moments)
    compared, wrong = different(quiet, wild.root, json.loads(Plan(suite).suite_argument))
    sys.stdout.write(
        report(wild, kills, compared, len(wrong))
        + f"{time.monotonic() - began:.0f} s, {processor_s() - used:.0f} s of processors, {load()}\n"
        + "".join(f"different: {name}\n" for name in wrong)
        + "".join(f"finished, and trained again: {run}\n" for run in sorted(set(wild.lost)))
        + "".join(f"done again: {job}\n" for job in wild.again)
    )
    failed = bool(wrong or wild.lost)
    if not given.keep and not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
