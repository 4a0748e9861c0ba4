"""The page as text: what it says, that it is the same every time, and what it makes of bad input."""

import json
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest

from recollect.report.page import script_json
from recollect.report.runs import run_of_record, runs_of_provenance, with_target
from recollect.steps.keep import keep, provenance
from recollect.steps.kept_report import kept_report
from recollect.steps.report import report

COMMAND = "snakemake --cores 2 --configfile small.yaml"


def page_of(finished):
    paths = report(finished.suite, finished.places, COMMAND)
    return paths[0].read_text(encoding="utf-8")


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_verdicts_are_counted_and_shown(finished):
    page = page_of(finished)
    for words in ("1 agrees", "1 better", "2 failed", "4 nothing published"):
        assert f"</span> {words}</span>" in page
    assert "Split Digits: &lt;main&gt; &amp; more" in page
    assert "Broken &lt;b&gt;&amp;" in page
    assert "<b>" not in page.replace("&lt;b&gt;", "")


def test_findings_name_what_did_not_come_out(finished):
    page = page_of(finished)
    assert "diverged: seeds 0, 1, 2 (at task 2, step 118)" in page


def test_cells_lead_to_runs_with_settings_and_command(finished):
    data = data_of(page_of(finished))
    cell = data["cells"]["small/accuracy/split_digits/er/avg_acc_unweighted"]
    assert [seed for seed, _ in cell["seeds"]] == [0, 1, 2]
    run = data["runs"]["small/split_digits/er/1"]
    assert run[0] == "ok"
    assert data["shared"][run[2]] == {"id": "er", "train": {"lr": 0.1}}
    assert run[5] == "code-er"
    assert data["commands"]["small"] == "snakemake {target} --cores 2 --configfile small.yaml"


def test_page_and_data_are_byte_identical_and_have_no_time_in_them(finished, tmp_path):
    first = [path.read_bytes() for path in report(finished.suite, finished.places, COMMAND)]
    again = [path.read_bytes() for path in report(finished.suite, finished.places, COMMAND)]
    assert first == again
    assert str(tmp_path) not in first[0].decode()


def test_nothing_is_loaded_from_anywhere(finished):
    page = page_of(finished)
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert "url(" not in page
    # The name space of an embedded SVG is base64; no other address is written.
    assert "http" not in re.sub(r'content="[^"]*"|http-equiv', "", page)


def test_figures_have_text_alternatives(finished):
    page = page_of(finished)
    alternatives = re.findall(r'<img [^>]*alt="([^"]+)"', page)
    assert len(alternatives) == page.count("<img")
    assert any("DER++ 80." in text for text in alternatives)


def test_downloads_are_the_files(finished):
    import base64

    page = page_of(finished)
    for name in ("accuracy.csv", "accuracy.tex"):
        found = re.search(rf'download="{name}" href="data:[^,]*,([^"]*)"', page)[1]
        assert base64.b64decode(found) == (finished.places.tables("small") / name).read_bytes()


def test_parquet_and_crate(finished):
    _, data, crate = report(finished.suite, finished.places, COMMAND)
    frame = pq.read_table(data).to_pandas()
    assert len(frame) == len(finished.collected)
    row = frame[(frame["method"] == "er") & (frame["seed"] == 1) & (frame["metric"] == "wall_s")].iloc[0]
    assert (row["value"], row["unit"], row["direction"], row["code_fingerprint"]) == (11.0, "s", "down", "code-er")
    graph = {entity["@id"]: entity for entity in json.loads(crate.read_text())["@graph"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert {part["@id"] for part in graph["./"]["hasPart"]} == {"index.html", "results.parquet"}
    assert all(part["@id"] in graph for part in graph["./"]["hasPart"] + graph["./"]["variableMeasured"])
    assert graph["results.parquet"]["contentSize"] == str(data.stat().st_size)


# Bad input ------------------------------------------------------------------------------------------------------


def test_empty_results(finished):
    finished.places.collected("small").unlink()
    (finished.places.tables("small") / "accuracy.csv").unlink()
    page = page_of(finished)
    assert "No table has a result yet. To fill it: snakemake --cores 2 --configfile small.yaml" in page
    assert "run the collect step first" in page
    assert "not run: seeds 0, 1, 2" in page


@pytest.mark.parametrize("content", ["{", "[]", '{"scenario": "split_digits"}', "\udcff"])
def test_an_unreadable_run_is_named_and_others_are_shown(finished, content):
    path = finished.places.run("split_digits", "er", 1) / "run.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    page = page_of(finished)
    assert "<strong>split_digits/er seed 1</strong>" in page
    assert f"delete the folder {path.parent} and run again" in page
    assert set(data_of(page)["runs"]) >= {"small/split_digits/er/0", "small/split_digits/derpp/1"}


def test_a_damaged_table_is_named_and_others_are_shown(finished):
    second = {**finished.suite["tables"][0], "id": "second"}
    (finished.places.tables("small") / "second.csv").write_text("table,scenario\nx,y\n")
    finished.suite["tables"].append(second)
    page = page_of(finished)
    assert "table second cannot be shown (a table CSV lacks the column(s)" in page
    assert 'id="table-accuracy"' in page


def test_duplicate_rows_are_an_error_at_the_top(finished):
    frame = pd.concat([finished.collected, finished.collected.iloc[:1]])
    frame.to_csv(finished.places.collected("small"), index=False)
    page = page_of(finished)
    assert "avg_acc_unweighted is there twice" in page
    assert page.index("is there twice") < page.index("diverged: seeds")


def test_a_planted_missing_seed_is_at_the_top(finished):
    kept = finished.collected[~((finished.collected["method"] == "er") & (finished.collected["seed"] == 1))]
    finished.remake(kept)
    page = page_of(finished)
    assert "not run: seed 1 (no result found)" in page
    assert "most rest on seeds 0, 1, 2; ER on 0, 2" in page


def test_text_in_data_cannot_end_the_script():
    text = script_json({"a": "</script><!--\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028"}


# Runs and committed results -------------------------------------------------------------------------------------


def test_targets_go_before_options_with_several_values():
    assert with_target("snakemake --cores 1 --config a=1") == "snakemake {target} --cores 1 --config a=1"


def test_provenance_gives_the_runs_back(finished):
    records = [json.loads((finished.places.run("split_digits", "er", k) / "run.json").read_text()) for k in (0, 1)]
    for old, new in zip(
        map(run_of_record, records), runs_of_provenance(provenance(records, COMMAND)), strict=True
    ):
        assert old.key == new.key
        assert (old.code, old.split, old.data, old.settings) == (new.code, new.split, new.data, new.settings)
        assert old.environment == new.environment


def test_committed_results_show_every_table(tmp_path):
    from recollect.layout import ROOT

    folder = ROOT / "results" / "reproduced"
    page = kept_report(folder, tmp_path / "page")[0].read_text()
    for path in folder.glob("*/*.csv"):
        assert f'id="table-{path.stem}"' in page
    assert "cannot be shown" not in page
    assert "snakemake {target} --cores" in page


def test_rows_that_never_ran_are_found_in_committed_tables(finished, tmp_path):
    """They leave no record and no provenance: only the table says that they were planned."""
    keep("small", finished.places, tmp_path / "kept" / "small", COMMAND)
    assert "not run: ER" not in quality_of(kept_report(tmp_path / "kept", tmp_path / "page")[0])
    finished.remake(finished.collected[finished.collected["method"] != "er"])
    keep("small", finished.places, tmp_path / "kept" / "small", COMMAND)
    assert "not run: ER" in quality_of(kept_report(tmp_path / "kept", tmp_path / "page")[0])


def quality_of(page):
    """The section of a page that grades its results."""
    text = page.read_text()
    return text[text.index('id="quality"') : text.index('id="tables"')]


def test_committed_results_with_damage(tmp_path):
    broken = tmp_path / "kept" / "suite"
    broken.mkdir(parents=True)
    (broken / "t.csv").write_text("not,a,table\n")
    (broken / "provenance.json").write_text('{"command": 1}')
    page = kept_report(tmp_path / "kept", tmp_path / "page")[0].read_text()
    assert "it cannot be shown (a table CSV lacks the column(s)" in page
    assert "it is no provenance of a suite" in page
