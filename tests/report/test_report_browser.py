"""The page in a real browser: opens, sorts, filters, leads from a cell to its run, asks nobody for anything."""

import json

import pytest
from browser import EXECUTABLE, Browser

from recollect.steps.report import report

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium here: apt-get install chromium")
TABLE = "document.querySelector('#table-accuracy table')"


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def page(browser, finished):
    browser.errors.clear()
    browser.requests.clear()
    browser.look(1200, 800)
    browser.path = report(finished.suite, finished.places, "snakemake --cores 2")[0]
    browser.open(browser.path)
    return browser


def first_cells(page, shown_only=False):
    rows = f"[...{TABLE}.tBodies[0].rows]" + (".filter(row => !row.hidden)" if shown_only else "")
    return page.js(f"{rows}.map(row => row.cells[0].textContent)")


def click(page, selector):
    page.js(f"document.querySelector({json.dumps(selector)}).click()")


def test_opens_without_error_and_without_asking_anybody(page):
    assert page.js("document.title") == "Results: small"
    assert page.errors == []
    asked = [address for address in page.requests if not address.startswith(("data:", "about:"))]
    assert set(asked) == {page.path.resolve().as_uri()}


def test_is_interactive_within_a_second(page):
    timing = "performance.getEntriesByType('navigation')[0].domInteractive"
    assert page.js(timing) < 1000


def test_sorts_by_every_kind_of_column_with_missing_values_last(page):
    column = (
        "[...document.querySelectorAll('#table-accuracy th')].find(th => th.textContent.startsWith('reproduced'))"
    )
    page.js(f"{column}.querySelector('button').click()")
    assert first_cells(page) == ["Naive", "ER", "DER++", "Broken <b>&"]
    assert page.js(f"{column}.getAttribute('aria-sort')") == "ascending"
    page.js(f"{column}.querySelector('button').click()")
    assert first_cells(page) == ["DER++", "ER", "Naive", "Broken <b>&"]
    click(page, "#table-accuracy th button")
    assert first_cells(page) == ["Broken <b>&", "DER++", "ER", "Naive"]
    assert page.js("document.querySelectorAll('#table-accuracy [aria-sort]').length") == 1


def test_filters_rows_and_says_how_many(page):
    page.js(
        "(() => { const box = document.querySelector('#table-accuracy input'); box.value = 'better der';"
        " box.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    assert first_cells(page, shown_only=True) == ["DER++"]
    assert page.js("document.querySelector('#table-accuracy output').textContent") == "1 of 4 rows"


def test_a_cell_leads_to_the_right_run(page):
    click(page, "#table-accuracy a[href$='/derpp/avg_acc_unweighted']")
    page.js("new Promise(done => setTimeout(done, 50))")
    assert page.js("document.getElementById('details').open")
    assert page.js("document.getElementById('details-title').textContent") == "DER++, split_digits: Accuracy (%) ↑"
    click(page, "#details a[href$='/derpp/2']")
    page.js("new Promise(done => setTimeout(done, 50))")
    text = page.js("document.getElementById('details').textContent")
    assert "Run split_digits / derpp / seed 2" in text
    assert "code-derpp" in text
    assert "snakemake results/runs/split_digits/derpp/seed2/run.json --cores 2" in text
    assert '"lr": 0.1' in text
    assert page.errors == []


def test_the_address_of_a_run_opens_it_and_escape_closes_it(page):
    page.open(page.path, "#run/small/split_digits/er/0")
    assert "er / seed 0" in page.js("document.getElementById('details-title').textContent")
    page.key("Escape", 27)
    page.js("new Promise(done => setTimeout(done, 100))")
    assert not page.js("document.getElementById('details').open")
    assert page.js("location.hash") == ""


def test_everything_can_be_reached_by_keyboard(page):
    page.js("document.querySelector('#table-accuracy th button').focus()")
    page.key("Enter", 13, "\r")
    assert page.js("document.querySelector('#table-accuracy th').getAttribute('aria-sort')") == "ascending"
    # Scrolled regions, sort buttons, filters and links are all in the order of tabs.
    assert page.js("[...document.querySelectorAll('.scroll, button, input, a')].every(e => e.tabIndex >= 0)")


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_no_width_scrolls_the_page_sideways(page, width):
    page.look(width, 800)
    assert page.js("document.documentElement.scrollWidth") <= width


def test_dark_and_light(page):
    colour = "getComputedStyle(document.body).backgroundColor"
    page.look(1200, 800, dark=False)
    assert page.js(colour) == "rgb(255, 255, 255)"
    page.look(1200, 800, dark=True)
    assert page.js(colour) == "rgb(22, 24, 27)"


def test_text_stands_out_in_both(page):
    """Contrast of text and badges against the page, WCAG AA: at least 4.5."""
    script = """(() => {
      const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      const light = (c) => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number);
        return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
      const ground = light(getComputedStyle(document.body).backgroundColor);
      return [...document.querySelectorAll('p, a, th, td, li, .badge, figcaption, label')].map((e) => {
        const ink = light(getComputedStyle(e).color);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05); }); })()"""
    for dark in (False, True):
        page.look(1200, 800, dark=dark)
        assert min(page.js(script)) >= 4.5
