"""The mapping from published numbers to ours: what it selects, what it refuses, and that what ships is whole."""

import copy
import csv

import pytest
import yaml

from recollect.config.published import RESULTS_FILE, Published
from recollect.config.published_rows import read_rows
from recollect.config.schema import read_yaml
from recollect.config.suite import METHODS_FILE, SCENARIOS_FILE
from recollect.errors import RecollectError
from recollect.layout import ROOT

HEAD = "paper_id,table,dataset,scenario,n_tasks,method,metric,value,std,direction,source,note\n"
ROWS = """\
paper,T1,MNIST,class_incremental,5,Theirs,fid,23,1.5,down,readme,
paper,T1,MNIST,class_incremental,5,Theirs,precision,92,0.5,up,readme,
paper,T1,MNIST,class_incremental,5,Theirs,recall,98,,up,readme,
paper,T1,MNIST,class_incremental,5,Other,fid,9,,down,readme,
paper,T2,MNIST,class_incremental,5,Theirs,fid,30,,down,"article, 2025",
paper,T2,MNIST,class_incremental,5,Theirs,precision,92,,up,"article, 2025",
paper,T2,MNIST,class_incremental,5,Theirs,recall,70,,up,"article, 2025",
paper,T2,MNIST,class_incremental,,Theirs,fid,1,,down,"article, 2025",
paper,T2,MNIST,class_incremental,5,Theirs,claim,85,,up,"article, 2025",
elsewhere,T1,MNIST,class_incremental,5,Theirs,fid,77,,down,readme,
"""
METHODS = {"ours": {}, "ours_too": {}}
SCENARIOS = {"little": {"extractor": "lenet_mnist"}, "large": {"extractor": "inception"}}
MAPPING = {
    "paper": {
        "title": "A paper",
        "note": "One seed.",
        "metrics": {
            "fid": {"metric": "fid"},
            "precision": {"metric": "precision", "percent": True, "exchangeable": "recall"},
            "recall": {"metric": "recall", "percent": True, "exchangeable": "precision"},
        },
        "methods": {"Theirs": {"method": "ours", "note": "settings unknown"}, "Other": {}},
        "sources": {"t1": {"table": "T1", "source": "readme"}, "t2": {"table": "T2", "source": "article, 2025"}},
        "scenarios": {
            "little": {
                "dataset": "MNIST", "scenario": "class_incremental", "n_tasks": 5, "extractor": "lenet_mnist",
                "sources": ["t1", "t2"], "note": "On test images.",
            }
        },
        "left_out": [{"metric": "claim", "why": "no measurement"}],
    }
}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    """Load a mapping, changed by a function, with rows of its own."""

    def load_with(change=lambda paper: None, rows=ROWS):
        mapping = copy.deepcopy(MAPPING)
        change(mapping["paper"])
        (tmp_path / "published.yaml").write_text(yaml.safe_dump(mapping, sort_keys=False))
        (tmp_path / "rows.csv").write_text(HEAD + rows)
        return Published.load(tmp_path / "published.yaml", tmp_path / "rows.csv")

    return load_with


def refused(call, *arguments):
    with pytest.raises(RecollectError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Selection --------------------------------------------------------------------------------------------


def test_cells_are_in_our_names_and_units(load):
    cells = {(c.published_as, c.metric): c for c in load().cells("paper", "little")}
    fid, precision, recall = (f"{name}@lenet_mnist" for name in ("fid", "precision", "recall"))
    assert list(cells) == [("Theirs", fid), ("Theirs", precision), ("Theirs", recall), ("Other", fid)]
    assert cells["Theirs", precision].value == 0.92
    assert cells["Theirs", precision].std == 0.005
    assert cells["Theirs", precision].exchangeable == recall
    assert cells["Theirs", recall].exchangeable == precision
    assert (cells["Theirs", fid].value, cells["Theirs", fid].std) == (23.0, 1.5)
    assert (cells["Theirs", fid].method, cells["Theirs", fid].status) == ("ours", "")
    assert cells["Theirs", fid].source == "T1, readme"


def test_without_an_implementation_the_published_name_stays(load):
    other = load().cells("paper", "little")[-1]
    assert (other.method, other.published_as, other.status) == ("Other", "Other", "not implemented")


def test_a_scenario_may_compare_with_another_method(load):
    cells = load(lambda p: p["scenarios"]["little"].update(methods={"Theirs": "ours_too"})).cells(
        "paper", "little"
    )
    assert [cell.method for cell in cells] == ["ours_too"] * 3 + ["Other"]


def test_the_first_source_counts_and_another_number_is_noted(load):
    fid, precision, recall, _ = load().cells("paper", "little")
    assert fid.note == "settings unknown; 30 in T2, article, 2025"
    assert precision.note == "settings unknown"
    assert recall.note == "settings unknown; 70 in T2, article, 2025"
    turned = load(lambda p: p["scenarios"]["little"].update(sources=["t2", "t1"])).cells("paper", "little")
    assert (turned[0].value, turned[0].note) == (30.0, "settings unknown; 23 in T1, readme")


def test_notes_name_the_scenario_where_there_are_several(load):
    def twice(paper):
        paper["scenarios"]["large"] = {**paper["scenarios"]["little"], "extractor": "inception"}

    assert load().notes("paper", ["little"]) == ["One seed.", "On test images."]
    assert load(twice).notes("paper", ["little", "large"])[2] == "large: On test images."


def test_hash_follows_what_is_shown_only(load):
    first = load().digest("paper", ["little"])
    assert load(rows=ROWS.replace("readme,\n", "readme,a note\n")).digest("paper", ["little"]) == first
    assert load(rows=ROWS.replace(",23,", ",24,")).digest("paper", ["little"]) != first
    assert load(lambda p: p.update(note="Two seeds.")).digest("paper", ["little"]) != first


# Refusals ---------------------------------------------------------------------------------------------


def test_missing_mapping(load):
    assert "published.yaml has no paper 'papr': did you mean 'paper'?" in refused(load().cells, "papr", "little")
    text = refused(load().cells, "paper", "litle")
    assert "has no published numbers for scenario 'litle': did you mean 'little'?" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p["methods"]["Theirs"].update(method="ous"), "paper.methods.Theirs.method has 'ous' in "),
        (lambda p: p["scenarios"]["little"].update(methods={"Theirs": "ous"}), "methods.Theirs has 'ous' in "),
        (lambda p: p["scenarios"]["little"].update(methods={"Their": "ours"}), "did you mean 'Theirs'?"),
        (lambda p: p["methods"].pop("Other"), "a row of t1 for paper.methods has 'Other' in "),
        (lambda p: p["metrics"]["fid"].update(metric="fdi"), "did you mean 'fid'?"),
        (lambda p: p["metrics"]["recall"].update(exchangeable="prec"), "did you mean 'precision'?"),
        (lambda p: p["metrics"].pop("recall"), "paper.metrics.precision.exchangeable has 'recall'"),
        (lambda p: p.pop("left_out"), "a row of t2 for paper.metrics has 'claim' in "),
        (lambda p: p["scenarios"].update(lttle=p["scenarios"].pop("little")), "did you mean 'little'?"),
        (lambda p: p["scenarios"]["little"].update(extractor="inception"), "is judged with lenet_mnist: they"),
        (lambda p: p["scenarios"]["little"].update(sources=["t3"]), "has 't3': did you mean"),
        (lambda p: p["scenarios"]["little"].update(n_tasks=10), "t1 has no row for little: take it out"),
        (lambda p: p["methods"].update(Other={"method": "ours"}), "compares ours with both 'Theirs' and 'Other'"),
    ],
)  # fmt: skip
def test_wrong_mappings_are_refused_before_a_job_starts(load, change, says):
    text = refused(load(change).check, "paper", METHODS, SCENARIOS)
    assert says in text
    assert "published.yaml" in text


def test_two_rows_for_one_cell_are_refused(load):
    text = refused(load(rows=ROWS + ROWS.splitlines()[0] + "\n").check, "paper", METHODS, SCENARIOS)
    assert "t1 has fid of Theirs twice" in text


def test_features_must_be_named(load):
    published = load(lambda p: p["scenarios"]["little"].pop("extractor"))
    assert "add extractor" in refused(published.cells, "paper", "little")


def test_misspelt_keys_and_files_that_are_no_good(load, tmp_path):
    text = refused(load, lambda p: p["scenarios"]["little"].update(extractr="x"))
    assert "unknown key 'paper.scenarios.little.extractr' in " in text
    assert "did you mean 'extractor'?" in text
    for rows, says in [
        (ROWS.replace(",23,", ",many,"), "line 2, value 'many' is not a number"),
        (ROWS.replace(",23,", ",nan,"), "line 2, value 'nan' is not finite"),
        (ROWS.replace(",5,", ",five,"), "n_tasks 'five' is not a whole number"),
    ]:
        assert says in refused(load, lambda p: None, rows)
    (tmp_path / "rows.csv").write_text("paper_id,table\n")
    assert "lacks the column(s) dataset" in refused(read_rows, tmp_path / "rows.csv")
    assert "cannot be read" in refused(read_rows, tmp_path / "none.csv")


# In a suite -------------------------------------------------------------------------------------------

TABLE = {
    "id": "t", "title": "T", "metrics": ["fid@lenet_mnist", "recall@lenet_mnist"],
    "published": "adapt_and_align_2025", "agreement": {"fid": 0.15},
}  # fmt: skip
SUITE = {"scenarios": ["mnist_dir10"], "methods": ["adapt_align_vae"]}


@pytest.fixture
def suite(tmp_path):
    from recollect.config.suite import Suite

    def load_suite(**table):
        path = tmp_path / "changes.yaml"
        changes = {**SUITE, "tables": [{**TABLE, **table}]}
        path.write_text(yaml.safe_dump(changes))
        default = ROOT / "config" / "default.yaml"
        return Suite.load({**read_yaml(default), **changes}, [default, path])

    return load_suite


def test_a_table_knows_the_hash_of_its_published_numbers(suite):
    table = suite().tables()[0]
    assert table["published"] == "adapt_and_align_2025"
    assert len(table["published_sha256"]) == 16


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"published": "adapt_and_aling_2025"}, "did you mean 'adapt_and_align_2025'?"),
        (
            {"metrics": ["kid@lenet_mnist"], "agreement": {}},
            "there is only fid@lenet_mnist, precision@lenet_mnist",
        ),
        ({"metrics": ["fid@inception"]}, "there is only fid@lenet_mnist, precision@lenet_mnist"),
        ({"agreement": {"fdi": 0.1}}, "tables[0].agreement in "),
        ({"agreement": {"fid": 0}}, "tables[0].agreement.fid in "),
    ],
)
def test_tables_that_ask_for_what_is_not_there(suite, table, says):
    text = refused(lambda: suite(**table))
    assert says in text
    assert "changes.yaml" in text


def test_thresholds_need_something_to_compare_with():
    from recollect.config.suite_tables import check_tables

    config = {
        "scenarios": ["s"], "shared_scenarios": ["s"], "methods": ["m"], "pairs": [("s", "m")],
        "tables": [{"id": "t", "title": "T", "metrics": ["bwt"], "agreement": {"bwt": 0.1}}],
    }  # fmt: skip
    assert "means nothing without published numbers" in refused(check_tables, config, [])
    config["tables"][0] = {"id": "t", "title": "T", "metrics": ["bwt"], "differs": "schedule"}
    assert "tables[0].differs" in refused(check_tables, config, [])


# What ships -------------------------------------------------------------------------------------------

SHIPPED = Published.load()
MAPPED = [(paper, scenario) for paper, entry in SHIPPED.papers.items() for scenario in entry["scenarios"]]


@pytest.mark.parametrize("paper", SHIPPED.papers)
def test_every_entry_finds_its_rows_and_none_is_ambiguous(paper):
    SHIPPED.check(paper, read_yaml(METHODS_FILE), read_yaml(SCENARIOS_FILE))


@pytest.mark.parametrize("paper", SHIPPED.papers)
def test_every_row_of_a_mapped_paper_is_shown_or_left_out_for_a_reason(paper):
    shown = {
        id(row)
        for scenario, entry in SHIPPED.papers[paper]["scenarios"].items()
        for source in entry["sources"]
        for row in SHIPPED._select(paper, scenario, source).values()
    }
    rest = [r for r in SHIPPED.rows if r.paper_id == paper and id(r) not in shown]
    assert [row for row in rest if not SHIPPED.why_left_out(row)] == []
    assert not [row for row in SHIPPED.rows if id(row) in shown and SHIPPED.why_left_out(row)]


@pytest.mark.parametrize("paper", SHIPPED.papers)
def test_every_key_of_the_mapping_is_used(paper):
    entry = SHIPPED.papers[paper]
    rows = [row for row in SHIPPED.rows if row.paper_id == paper]
    cells = [cell for scenario in entry["scenarios"] for cell in SHIPPED.cells(paper, scenario)]
    assert {cell.published_as for cell in cells} == set(entry["methods"])
    assert {name for s in entry["scenarios"].values() for name in s["sources"]} == set(entry["sources"])
    for left_out in entry["left_out"]:
        assert any(SHIPPED.why_left_out(row) == left_out["why"] for row in rows)


def test_superseded_values_are_not_used():
    sources = [cell.source for paper, scenario in MAPPED for cell in SHIPPED.cells(paper, scenario)]
    assert not [source for source in sources if "superseded" in source]


def test_known_cells():
    cells = {(c.method, c.metric): c for c in SHIPPED.cells("adapt_and_align_2025", "mnist_dir10")}
    fid = "fid@lenet_mnist"
    assert {method for method, _ in cells} == {
        "adapt_align_vae", "adapt_align_vae_conv", "adapt_align_gan", "vae_replay", "CURL",
    }  # fmt: skip
    assert [cells[m, fid].value for m in ("adapt_align_vae", "adapt_align_vae_conv", "adapt_align_gan")] == [
        41,
        30,
        20,
    ]
    assert cells["vae_replay", "recall@lenet_mnist"].value == 0.65
    assert cells["CURL", fid].status == "not implemented"
    heldout = SHIPPED.cells("adapt_and_align_2025", "mnist_dir10_heldout")
    assert [(c.method, c.value) for c in heldout] == [(c.method, c.value) for c in cells.values()]


def test_accuracies_and_shares_are_percent_in_the_file():
    with RESULTS_FILE.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(SHIPPED.rows) > 1000
    assert {row["direction"] for row in rows} == {"up", "down", ""}
    percent = [float(r["value"]) for r in rows if r["metric"] in ("precision", "recall", "avg_accuracy")]
    assert all(1 < value <= 100 for value in percent)
