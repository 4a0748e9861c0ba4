"""The command line: one subcommand per step of the workflow.

Snakemake calls these; they can be called by hand as well: ``python -m recollect <step> --help``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from recollect.cli import runs, suites
from recollect.cli.arguments import Commands
from recollect.errors import RecollectError
from recollect.gpu_slots import VISIBLE, hold

COMMANDS: Commands = {**runs.COMMANDS, **suites.COMMANDS}


class _Parser(argparse.ArgumentParser):
    """Bad arguments give one sentence and status 1, as all bad input does."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {' '.join(message.split())}: see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The argument parser of all subcommands."""
    top = _Parser(prog="recollect", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    steps = top.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (run, text, arguments) in COMMANDS.items():
        step = steps.add_parser(name, help=text, description=text, allow_abbrev=False)
        step.set_defaults(run=run)
        step.add_argument("--results", default="results", help="results folder (default: results)")
        for flag, options in arguments.items():
            step.add_argument(flag, **options)
    return top


@contextmanager
def _card(a: argparse.Namespace) -> Iterator[None]:
    """A slot of a card for steps that may use one, taken before they load torch."""
    engine = a.spec["engine"] if "spec" in a else vars(a)
    slot = hold(engine.get("device", "cpu") if isinstance(engine, dict) else "cpu", say=sys.stderr.write)
    if slot is None:
        yield
        return
    os.environ[VISIBLE] = slot.card
    with slot.lock:
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step; bad input gives one sentence on stderr and status 1."""
    parsed = parser().parse_args(arguments)
    try:
        with _card(parsed):
            parsed.run(parsed)
    except RecollectError as error:
        sys.stderr.write(f"recollect {parsed.step}: {error}\n")
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(
            f"recollect {parsed.step}: {error.filename}: {error.strerror}: correct the path or its permissions\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"recollect {parsed.step}: interrupted; the same command continues\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
