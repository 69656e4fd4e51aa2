"""The data safety report in a real browser: quiet, readable at any width, in the dark, on paper and without a mouse.

It needs Chromium, Playwright (extra ``browser``) and, for one of the tests, axe-core; what is not there is said. Set
SKDP_CHROMIUM and SKDP_AXE to where they are if they are elsewhere than Debian and npm put them.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_report import HOSTILE, KNOWN, people, steps

from skdp import IntervalBinner, LaplaceNoise, make_pipeline
from skdp.datasets import make_customer_survey
from skdp.report import DataSafetyReport

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:Glyph")]
CHROMIUM = os.environ.get("SKDP_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(os.environ.get("SKDP_AXE", "node_modules/axe-core/axe.min.js"))
A4 = (595, 842)  # points
MM = 72 / 25.4


def small():
    table, pipeline = people(), steps()
    released = pipeline.fit_transform(table)
    return DataSafetyReport(
        table, released, pipeline=pipeline, quasi_identifiers=KNOWN, sensitive="Debt", target="Debt"
    )


def wide():
    table = make_customer_survey(random_state=0)
    pipeline = make_pipeline(
        IntervalBinner({"Age": [24, 34, 44, 54, 64], "HouseholdIncome": [10, 40, 80, 120]}),
        LaplaceNoise(0.5, bounds={"CreditDebt": (0, 70), "OtherDebt": (0, 120)}),
    )
    known = ["Region", "TownSize", "Gender", "Age", "EducationYears"]
    return DataSafetyReport(
        table, pipeline.fit_transform(table), pipeline=pipeline, quasi_identifiers=known, sensitive="LoanDefault"
    )


def hostile():
    table = people(size=60)
    names = dict(zip(table, ["W" * 90, *HOSTILE[:5]], strict=True))
    released = table.assign(Pets=table["Pets"] // 2).rename(columns=names)
    return DataSafetyReport(table.rename(columns=names), released, quasi_identifiers=[names["Age"]], title="W" * 90)


@pytest.fixture(scope="module", params=["small", "small-public", "wide", "hostile"])
def address(request, tmp_path_factory):
    kind, _, public = request.param.partition("-")
    path = tmp_path_factory.mktemp("report") / f"{request.param}.html"
    {"small": small, "wide": wide, "hostile": hostile}[kind]().to_html(path, public=bool(public))
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install 'skdp[browser]'")
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def visit(browser, address):
    """Open the report in a window of its own; return it with all that it said and asked for."""
    contexts = []

    def visit(**options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        page.wait_for_load_state("networkidle")
        return page

    yield visit
    for context in contexts:
        context.close()


def test_nothing_is_asked_for_and_nothing_complained_of(visit, address):
    page = visit()
    assert page.said == []
    assert [one for one in page.asked if not one.startswith("data:")] == [address]


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_is_wider_than_its_window(visit, width):
    page = visit(viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_that_is_too_wide_is_noticed(visit):
    page = visit(viewport={"width": 360, "height": 800})
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<p style=\"width: 40em\">x</p>')")
    assert page.evaluate("document.documentElement.scrollWidth") > 360


def test_every_figure_has_a_text_twin(visit):
    page = visit()
    figures = page.locator("figure")
    assert figures.count() >= 3
    for number in range(figures.count()):
        figure = figures.nth(number)
        assert len(figure.locator("figcaption").inner_text()) > 20
        assert figure.locator("details table tbody tr").count() >= 1
    pictures = page.locator("svg[role=img]")
    assert pictures.count() >= 3
    for number in range(pictures.count()):
        named = pictures.nth(number).evaluate(
            "one => ['aria-labelledby', 'aria-describedby'].map(name => "
            "document.getElementById(one.getAttribute(name)).textContent.trim().length)"
        )
        assert min(named) > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, scheme):
    if not AXE.exists():
        pytest.skip("no axe-core: npm install axe-core, and set SKDP_AXE to its axe.min.js")
    page = visit(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []
    faint = '<p style="color: #ccc; background: #ddd">Some faint words</p>'
    page.evaluate("faint => document.body.insertAdjacentHTML('beforeend', faint)", faint)
    assert "color-contrast" in [one["id"] for one in page.evaluate("axe.run()")["violations"]]


def test_dark_pages_are_dark(visit):
    lightness = {}
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        for what in ("backgroundColor", "color"):
            colour = page.evaluate(f"getComputedStyle(document.body).{what}")
            lightness[scheme, what] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert lightness["light", "backgroundColor"] > 240 > 60 > lightness["light", "color"]
    assert lightness["dark", "backgroundColor"] < 40 < 200 < lightness["dark", "color"]


def test_the_keyboard_reaches_everything(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
        ".filter(one => one.checkVisibility()).length"
    )
    page.evaluate("document.activeElement.blur()")
    page.evaluate("window.seen = new Set()")
    page.reload()
    reached = page.evaluate("0")
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        reached += page.evaluate(
            "(() => { const one = document.activeElement; if (one === document.body || one.seen) return 0; "
            "one.seen = true; return 1; })()"
        )
    assert reached >= wanted
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")


def test_print_fits_a4_and_nothing_is_cut_off(visit, tmp_path):
    page = visit()
    page.emulate_media(media="print")
    # what A4 leaves between the margins, in pixels of 1/96 inch
    page.set_viewport_size({"width": round((210 - 32) * 96 / 25.4), "height": 1000})
    right = page.evaluate(
        "Math.max(...[...document.querySelectorAll('main *, header *, footer *')]"
        ".filter(one => one.checkVisibility() && !one.closest('svg svg, svg *') && !one.classList.contains('skip'))"
        ".map(one => one.getBoundingClientRect().right))"
    )
    assert right <= page.evaluate("innerWidth") + 1
    assert page.evaluate(
        "[...document.querySelectorAll('details:not(.long) table')].every(one => one.offsetHeight > 0)"
    )
    path = tmp_path / "report.pdf"
    page.pdf(path=path, prefer_css_page_size=True)
    sizes = set(re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", path.read_bytes()))
    assert sizes
    for found in sizes:
        assert [round(float(side)) for side in found] == list(A4)
    if shutil.which("pdftotext"):
        _assert_words_within_margins(path)


def _assert_words_within_margins(path):
    told = subprocess.run(["pdftotext", "-bbox", path, "-"], capture_output=True, text=True, check=True).stdout
    edges = re.findall(r'<word xMin="([\d.-]+)" yMin="[\d.-]+" xMax="([\d.-]+)"', told)
    assert len(edges) > 500
    assert min(float(left) for left, _ in edges) >= 16 * MM - 2
    assert max(float(right) for _, right in edges) <= A4[0] - 16 * MM + 2
