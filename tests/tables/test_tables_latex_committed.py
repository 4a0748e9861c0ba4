"""Every committed table drops into a paper as it is: a real LaTeX, no error, nothing wider than the text."""

import shutil
import subprocess

import pytest

from recollect.layout import ROOT

PDFLATEX = shutil.which("pdflatex")


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex here: apt-get install texlive-latex-recommended")
def test_committed_tables_compile_within_the_text_width(tmp_path):
    tables = sorted((ROOT / "results" / "reproduced").glob("*/*.tex"))
    assert tables
    body = "\n".join(path.read_text() + r"\clearpage" for path in tables)
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "all.tex").write_text(document)
    command = [PDFLATEX, "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "undefined" not in done.stdout.lower()
