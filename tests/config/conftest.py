"""Suites written to files, and a small house of methods and scenarios of its own."""

import textwrap
from types import SimpleNamespace

import pytest
import yaml

from recollect.config import suite as suite_module
from recollect.config.schema import read_yaml
from recollect.config.suite import Suite
from recollect.layout import ROOT

DEFAULT = ROOT / "config" / "default.yaml"


@pytest.fixture
def load(tmp_path):
    """Load the default suite with changes, which stand in a file called changes.yaml."""

    def load_with(**changes):
        path = tmp_path / "changes.yaml"
        path.write_text(yaml.safe_dump(changes))
        return Suite.load({**read_yaml(DEFAULT), **changes}, [DEFAULT, path])

    return load_with


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A folder with one method `toy` and one scenario `little`, to be changed at will before loading."""
    root = tmp_path / "house"
    for folder in ("methods", "baselines", "config"):
        (root / folder).mkdir(parents=True)
    monkeypatch.setattr(suite_module, "ROOT", root)
    monkeypatch.setattr(suite_module, "METHODS_FILE", root / "config" / "methods.yaml")
    monkeypatch.setattr(suite_module, "SCENARIOS_FILE", root / "config" / "scenarios.yaml")
    made = SimpleNamespace(
        root=root,
        build="def build(*, setting: Setting, lam: float, n: int = 3):\n    pass\n",
        entry={"datasets": {"digits": {"lr": 0.1, "lam": 1.0, "source": "here"}}},
        methods={},
        scenario={"datasets": ["digits"], "protocol": "class-incremental", "n_tasks": 5},
        scenarios={},
        config={
            **read_yaml(DEFAULT),
            "scenarios": ["little"],
            "methods": ["toy"],
            "tables": [{"id": "t", "title": "T", "metrics": ["bwt"]}],
        },
    )

    def load_house(**changes):
        (root / "methods" / "toy.py").write_text(textwrap.dedent(made.build))
        (root / "config" / "methods.yaml").write_text(yaml.safe_dump({"toy": made.entry, **made.methods}))
        (root / "config" / "scenarios.yaml").write_text(
            yaml.safe_dump({"little": made.scenario, **made.scenarios})
        )
        path = tmp_path / "suite.yaml"
        path.write_text(yaml.safe_dump(changes))
        return Suite.load({**made.config, **changes}, [path])

    made.load = load_house
    return made
