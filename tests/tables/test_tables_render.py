"""Renderings: all say the same, are well formed, and are the same bytes for the same input."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from recollect.errors import RecollectError
from recollect.tables import (
    METRICS,
    build_table,
    metric_info,
    table_paths,
    to_html,
    to_html_fragment,
    to_latex,
    to_markdown,
    to_terminal,
    write_table,
)
from recollect.tables.layout import make_layout
from recollect.tables.to_latex import escape as escape_latex
from recollect.tables.to_markdown import escape as escape_markdown


@pytest.fixture
def frame(collected, declaration, published):
    return build_table(collected, declaration, published=published)


class Page(HTMLParser):
    """Texts, and the tags that are open; complains about tags that do not match."""

    VOID = frozenset({"meta", "br", "link"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def everything(layout):
    for section in layout.sections:
        yield from (label for label, _ in section.rows)
        yield from (cell for _, cells in section.rows for cell in cells)
        yield from section.notes
    yield from layout.notes


def test_every_text_is_in_every_format(frame, declaration):
    layout = make_layout(frame, declaration)
    html = set(Page(to_html(frame, declaration)).texts)
    markdown, latex = to_markdown(frame, declaration), to_latex(frame, declaration)
    terminal = " ".join(to_terminal(frame, declaration).split())
    for text in everything(layout):
        assert text in html
        assert escape_markdown(text) in markdown
        assert escape_latex(text) in latex
        assert " ".join(text.split()) in terminal


def test_cells_say_what_they_should(frame, declaration):
    section = make_layout(frame, declaration).sections[0]
    rows = {
        label: dict(zip((c.full for c in section.columns), cells, strict=True)) for label, cells in section.rows
    }
    assert rows["Naive"]["Accuracy (%) ↑, reproduced"] == "20.00 [18.80, 21.20]"
    assert rows["Naive"]["Δ Accuracy vs Naive"] == "reference"
    assert rows["LwF_{a|b}*"]["Seeds"] == "4 of 5"
    assert re.fullmatch(r"28\.50 \[[\d., ]+\] \(\w\)", rows["LwF_{a|b}*"]["Accuracy (%) ↑, reproduced"])
    assert rows["joint"]["Accuracy (%) ↑, reproduced"] == "97.00 (one seed)"
    assert rows["joint"]["Δ Accuracy vs Naive"] == "+77.00 (one pair)"
    assert rows["joint"]["Forgetting (max) (%) ↓"] == "no value (a)"
    assert rows["ewc"]["Accuracy (%) ↑, reproduced"] == "failed (c)"
    assert rows["gr"]["Accuracy (%) ↑, reproduced"] == "not run (d)"
    assert rows["DER++"]["Accuracy, published"] == "88 ± 1"
    assert rows["DER++"]["Accuracy, verdict"] == "agrees within interval"
    assert re.fullmatch(r"\+68\.00 \[.*\], p<0\.001, d=\+\d+\.\d\d", rows["DER++"]["Δ Accuracy vs Naive"])
    assert "(c) ewc: failed: seeds 0, 1, 2, 3, 4: out of memory." in section.notes


def test_notes_define_what_is_shown(frame, declaration):
    notes = " ".join(make_layout(frame, declaration).notes)
    for words in ("avg_acc_unweighted", "10000 resamples", "seeds 0, 1, 2, 3, 4", "Holm", "t-test", "Hedges"):
        assert words in notes
    assert "Wilcoxon's test on 4 pairs cannot go below 0.125" in notes
    assert "Buzzega et al. 2020, Table 2; somebody" in notes


def test_same_input_same_bytes(collected, declaration, published, frame):
    again = build_table(collected.sample(frac=1, random_state=3), declaration, published=published)
    for render in (to_markdown, to_latex, to_html, to_html_fragment, to_terminal):
        assert render(again, declaration) == render(frame, declaration)


def test_terminal_keeps_its_width(frame, declaration):
    assert max(map(len, to_terminal(frame, declaration).splitlines())) <= 110


def test_markdown_tables_are_rectangular(frame, declaration):
    lines = [line for line in to_markdown(frame, declaration).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert r"LwF\_{a\|b}\*" in lines[5]
    assert "100% of &lt;all> &amp; more" in to_markdown(frame, declaration)


def test_html_is_self_contained_and_accessible(frame, declaration):
    text = to_html(frame, declaration)
    page = Page(text)
    names = [tag for tag, _ in page.tags]
    assert "caption" in names
    assert "://" not in text
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert "prefers-color-scheme: dark" in text
    assert "100% of &lt;all&gt; &amp; more" in text
    assert Page(to_html_fragment(frame, declaration)).tags[0] == (
        "section",
        {"class": "recollect", "id": "digits_main"},
    )


def test_latex_is_balanced_and_escaped(frame, declaration):
    text = to_latex(frame, declaration)
    bare = re.sub(r"\\[\\{}%&$#_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    for name in ("table", "tabular", "minipage"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") > 0
    for block in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.S):
        for line in re.findall(r"^(.*) \\\\$", block[1], re.M):
            spans = [int(span) - 1 for span in re.findall(r"multicolumn\{(\d+)\}", line)]
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + sum(spans) == len(block[0])
    assert r"LwF\_\{a$|$b\}*" in text
    assert text.isascii()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles(frame, declaration, tmp_path):
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + to_latex(frame, declaration)
    (tmp_path / "t.tex").write_text(document + r"\end{document}")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()[-2000:]


def test_many_columns_give_several_floats_with_their_own_labels(collected, declaration):
    declaration["metrics"] = [name for name in METRICS if name != "fwt"]
    declaration["methods"] = [*declaration["methods"], *(f"m{i}" for i in range(10))]
    text = to_latex(build_table(collected, declaration), declaration)
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) > 1


def test_write_table(frame, declaration, tmp_path):
    paths = write_table(frame, declaration, tmp_path / "new" / "tables")
    assert paths == table_paths("digits_main", tmp_path / "new" / "tables")
    assert sorted(path.suffix for path in paths) == [".csv", ".html", ".md", ".tex", ".txt"]
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_table(frame, declaration, tmp_path / "new" / "tables")] == before
    assert sorted((tmp_path / "new" / "tables").iterdir()) == sorted(paths)


def test_a_folder_that_cannot_be_written_is_named(frame, declaration, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecollectError, match="file"):
        write_table(frame, declaration, tmp_path / "file" / "tables")


def test_metrics_show_their_unit_and_sign():
    accuracy = metric_info("avg_acc_unweighted")
    assert accuracy.heading == "Accuracy (%) ↑"
    assert accuracy.show(0.12345) == "12.35"
    assert accuracy.show(-0.000001, sign=True) == "0.00"
    assert accuracy.show(0.01, sign=True) == "+1.00"
    assert metric_info("carried_bytes").show(120000.0) == "120000"
    assert {info.direction for info in METRICS.values()} == {"up", "down"}
    assert all(info.definition.endswith(".") for info in METRICS.values())


def test_unknown_metric_names_its_neighbours():
    with pytest.raises(RecollectError, match="Did you mean forgetting_max"):
        metric_info("forgeting_max")


def test_a_whole_cell_with_a_remark_gets_a_footnote_in_every_format(collected, declaration):
    """An FID of singular covariances has a value, an interval and words that go with it."""
    marked = collected.copy()
    marked.loc[(marked["method"] == "derpp") & (marked["metric"] == "forgetting_max"), "reason"] = "few samples"
    frame = build_table(marked, declaration)
    (section,) = make_layout(frame, declaration).sections
    (mark,) = [note[:3] for note in section.notes if note.endswith("DER++: few samples.")]
    (cells,) = [cells for label, cells in section.rows if label == "DER++"]
    assert [f"] {mark}" in text for text in cells].count(True) == 1
    for render in (to_markdown, to_html, to_latex, to_terminal):
        assert "few samples" in render(frame, declaration)


def test_distances_of_channels_show_their_unit_and_when_they_were_taken():
    from recollect.tables.metric_info import metric_info, sample_metrics

    infos = {name: metric_info(f"{name}@zdc_channels") for name in sample_metrics("channels")}
    assert infos["w1_log_pooled"].heading == "W1 pooled (log photons) ↓"
    assert infos["w1_channels_change"].heading == "W1 channels change (photons) ↓"
    assert "features of zdc_channels" in infos["w1_channels"].definition
    with pytest.raises(RecollectError, match="write w1_channels@<extractor>"):
        metric_info("w1_channels")
