"""When to kill: moments that are drawn before anything runs, and that lie everywhere in the DAG.

A moment is a count of something that begins or finishes, and a delay after it, in units of the time that Snakemake
takes to start: "0.7 after the third training job began", "1.9 after the 41st run had finished". So they do not
depend on how fast or busy a machine is, nor on earlier kills: what was counted once is not counted again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

RUN, STARTING = "a run finished", "Snakemake started"
STARTS = 5
"""Of so many starts of Snakemake one may be disturbed before it has begun a job."""


@dataclass(frozen=True)
class Moment:
    """``delay`` starts of Snakemake after the ``count``-th different thing of a kind."""

    kind: str
    count: int
    delay: float

    def __str__(self) -> str:
        return f"{self.delay:.1f} after {self.kind}, no. {self.count}"


def draw(planned: Mapping[str, int], runs: int, kills: int, longest: float, rng: random.Random) -> list[Moment]:
    """Moments in no order: first one of every kind, soon after; then others wherever there is something to count.

    Args:
        planned: rule -> jobs.
        runs: trained in these jobs.
        kills: number of moments.
        longest: delay.
        rng: all that the result depends on beside the other arguments.
    """
    counts = {**dict(sorted(planned.items())), RUN: runs, STARTING: STARTS}
    first = [(kind, rng.randint(1, count)) for kind, count in counts.items() if count]
    others = [(kind, n) for kind, count in counts.items() for n in range(1, count + 1)]
    others = [place for place in others if place not in first]
    rng.shuffle(others)
    places = [*first, *others]
    if kills > len(places):
        raise SystemExit(f"--kills {kills}: this suite has only {len(places)} moments")
    rng.shuffle(first)
    chosen = [*first, *others][:kills]
    soon = [longest / 10 if place in first else longest for place in chosen]
    return [Moment(*place, rng.uniform(0, most)) for place, most in zip(chosen, soon, strict=True)]


def due(moments: list[Moment], counted: Mapping[str, int]) -> Moment | None:
    """The first of the moments whose thing has been counted, or None."""
    return next((moment for moment in moments if counted.get(moment.kind, 0) >= moment.count), None)
