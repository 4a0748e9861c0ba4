"""The command that a page shows is the one that makes the suite."""

import shlex

import pytest

from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.layout import ROOT
from recollect.plan import DEFAULT, Plan

MNIST = ROOT / "config" / "suites" / "mnist.yaml"


def command(*files, **changes):
    merged = {key: value for file in (DEFAULT, *files) for key, value in read_yaml(file).items()}
    return Plan(Suite.load({**merged, **changes}, [DEFAULT, *files])).command


@pytest.mark.parametrize(
    ("files", "changes", "expected"),
    [
        ((), {}, "snakemake --cores 2"),
        ((MNIST,), {}, "snakemake --cores 2 --configfile config/suites/mnist.yaml"),
        ((), {"data_dir": "/some/where", "mem_mb": 2000}, "snakemake --cores 2"),
        ((), {"seeds": [3]}, "snakemake --cores 2 --config 'seeds=[3]'"),
    ],
)
def test_command(files, changes, expected):
    assert command(*files, **changes) == expected


def test_overrides_of_the_command_line_survive_a_shell():
    words = shlex.split(command(overrides={"naive": {"lr": 0.5}}))
    assert words[-1] == 'overrides={"naive":{"lr":0.5}}'
