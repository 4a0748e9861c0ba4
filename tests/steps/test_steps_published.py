"""The table step sets published numbers beside collected ones, as a suite that ships asks for them."""

import json

import pandas as pd
import pytest

from recollect.config.schema import read_yaml
from recollect.layout import ROOT
from recollect.plan import Plan
from recollect.steps.places import Places
from recollect.steps.tables import make_tables
from recollect.tables import from_csv

DEFAULT = ROOT / "config" / "default.yaml"
COLUMNS = ["scenario", "method", "seed", "metric", "value", "status", "reason"]


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = ROOT / "config" / "suites" / "adapt_align_fc.yaml"
    plan = Plan.from_config({**read_yaml(DEFAULT), **read_yaml(path)}, [str(DEFAULT), str(path)])
    return json.loads(plan.suite_argument)


def test_published_numbers_reach_every_format(suite, tmp_path):
    rows = [
        ("mnist_dir10", "adapt_align_vae", 13, "fid@lenet_mnist", 45.0, "ok", ""),
        ("mnist_dir10", "adapt_align_vae", 13, "precision@lenet_mnist", 0.9, "ok", ""),
        ("mnist_dir10", "adapt_align_vae", 13, "recall@lenet_mnist", 0.9, "ok", ""),
        ("mnist_ci5", "adapt_align_vae", 13, "", None, "failed", "out of memory"),
    ]
    places = Places(tmp_path / "results")
    path = places.collected("adapt_align_fc")
    path.parent.mkdir(parents=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)
    make_tables(suite, places)

    folder = places.tables("adapt_align_fc")
    frame = from_csv((folder / "mnist_dir10.csv").read_text()).set_index(["method", "metric"])
    ours = frame.loc["adapt_align_vae", "fid@lenet_mnist"]
    assert (ours["published"], ours["difference"], ours["published_as"]) == (41.0, 4.0, "Multiband VAE")
    assert ours["verdict"] == "agrees within 15 %, one seed"
    assert frame.loc["CURL", "fid@lenet_mnist"]["status"] == "not implemented"
    assert frame.loc["adapt_align_gan", "fid@lenet_mnist"]["status"] == "not in this table"
    for suffix in ("md", "tex", "html", "txt"):
        text = " ".join((folder / f"mnist_dir10.{suffix}").read_text().split())
        for words in ("CURL", "not implemented", "published as Multiband VAE", "from one seed", "44 to 20"):
            assert words in text
    assert "MeRGAN" in (folder / "omniglot_ci20.md").read_text()
    assert "published" not in (folder / "cost.md").read_text()

    other = {**suite, "tables": [{**table, "differs": "schedule"} for table in suite["tables"]]}
    make_tables(other, places)
    frame = from_csv((folder / "mnist_dir10.csv").read_text()).set_index(["method", "metric"])
    assert frame.loc["adapt_align_vae", "fid@lenet_mnist"]["verdict"] == "ordering only: schedule differs"
