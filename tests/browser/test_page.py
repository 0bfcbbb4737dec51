"""The page in headless Chromium, opened from disk.

Needs a Chromium on the path (Debian: `apt-get install chromium`). axe-core checks accessibility
where RESRANK_AXE names its axe.min.js (`npm pack axe-core`).
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from resrank.reporting.page.build import write_page
from tests.conftest import ROOT
from tests.reporting.results_folder import HOSTILE, write_results

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
WIDTHS = {"wide": 1280, "narrow": 400}
A4_LANDSCAPE = 1047  # pixels of CSS between the margins


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path; `apt-get install chromium` brings it")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    root = write_results(tmp_path_factory.mktemp("results") / "generated")
    return write_page(root).as_uri()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory) -> str:
    """Return a page with as many systems as the demo has."""
    root = write_results(tmp_path_factory.mktemp("results") / "crowded", 12, 1, 2)
    return write_page(root).as_uri()


@pytest.fixture(scope="module")
def long_names(tmp_path_factory) -> str:
    """Return a page of systems whose names are longer than a narrow window."""
    folder = tmp_path_factory.mktemp("results") / "long"
    named = "RankGPT-style in sliding windows of 20 by 10"
    return write_page(write_results(folder, 4, 1, 2, label=named)).as_uri()


class Tab:
    """A tab of the browser, with its messages and requests. To load a page in it again is quick."""

    def __init__(self, browser, scheme):
        self.messages, self.requests = [], []
        self.page = browser.new_context(color_scheme=scheme, reduced_motion="reduce").new_page()
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def load(self, address, width):
        """Load an address as if for the first time: nothing that was selected stays."""
        self.page.goto("about:blank")
        self.page.emulate_media(media="null")
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.goto(address)
        self.page.wait_for_selector("#chart .main-svg")
        self.page.wait_for_selector("#left-list li")
        return self.page


@pytest.fixture(scope="module")
def tabs(browser):
    return {scheme: Tab(browser, scheme) for scheme in ("light", "dark")}


@pytest.fixture
def opened(tabs, address):
    """Open the page. In the end there must be no message and no request except for the page."""
    addresses = []
    for tab in tabs.values():
        tab.messages.clear()
        tab.requests.clear()

    def open_page(width=1280, scheme="light", at=address):
        addresses.append(at)
        return tabs[scheme].load(at, width)

    yield open_page
    messages = [message for tab in tabs.values() for message in tab.messages]
    requests = [url for tab in tabs.values() for url in tab.requests]
    assert messages == []
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == addresses


def column(page, table, place):
    return page.locator(
        f"table[data-name={table}] tbody tr td:nth-child({place})"
    ).all_text_contents()


def test_a_header_sorts_its_table_both_ways(opened):
    page = opened()
    header = page.locator("table[data-name=comparison] thead th").nth(2)
    header.get_by_role("button").click()
    down = [float(text) for text in column(page, "comparison", 3)]
    assert header.get_attribute("aria-sort") == "descending"
    assert down == sorted(down, reverse=True)
    assert len(down) == 6
    header.get_by_role("button").press("Enter")
    assert [float(text) for text in column(page, "comparison", 3)] == sorted(down)
    page.locator("table[data-name=comparison] thead th button").first.click()
    assert column(page, "comparison", 1) == ["c0"] * 3 + ["c1"] * 3


def marks(page):
    """Return each drawn system's (name, x, y)."""
    return page.evaluate(
        "document.getElementById('chart').data.filter(t => t.mode == 'markers')"
        ".map(t => [t.name, t.x[0], t.y[0]])"
    )


def test_the_chart_follows_its_selectors(opened):
    page = opened()
    first = marks(page)
    assert [name for name, _, _ in first] == [f"System &lt;b>{n}&lt;/b>" for n in range(3)]
    page.get_by_label("Passages").select_option("cached")
    cached = marks(page)
    assert [x for _, x, _ in cached] == [first[0][1], 2, 3]  # the first has no embeddings
    page.get_by_label("Horizontal axis").select_option("tokens_per_passage")
    assert [x for _, x, _ in marks(page)] == [0, 2, 4]
    page.locator("#chart-set").select_option("c1 over bm25")
    assert [y for _, _, y in marks(page)] != [y for _, _, y in first]


def boxes_of_the_chart(page):
    title = page.locator("#chart .xtitle").bounding_box()
    legend = page.locator("#chart .legend").bounding_box()
    return title, legend


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_legend_is_below_the_axis_title(opened, crowded, width):
    page = opened(width, at=crowded)
    title, legend = boxes_of_the_chart(page)
    assert title["y"] + title["height"] <= legend["y"]
    page.set_viewport_size({"width": 1680 - width, "height": 900})
    page.wait_for_timeout(300)
    title, legend = boxes_of_the_chart(page)
    assert title["y"] + title["height"] <= legend["y"]


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_long_names_are_complete_in_the_legend(opened, long_names, width):
    page = opened(width, at=long_names)
    chart = page.locator("#chart").bounding_box()
    for text in page.locator("#chart .legendtext").all():
        box = text.bounding_box()
        assert box["x"] + box["width"] <= chart["x"] + chart["width"]
    title, legend = boxes_of_the_chart(page)
    assert title["y"] + title["height"] <= legend["y"]


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_selected_texts_are_not_cut_off(opened, width):
    cut = opened(width).evaluate("""[...document.querySelectorAll('#chart-section select')].filter(s => {
        const pen = document.createElement('canvas').getContext('2d');
        pen.font = getComputedStyle(s).font;
        return pen.measureText(s.selectedOptions[0].text).width + 36 > s.clientWidth;
    }).map(s => s.id)""")
    assert cut == []


def test_hovering_shows_a_systems_figures(opened):
    page = opened()
    box = page.locator("#chart .trace.scatter").last.locator(".point").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    text = page.locator("#chart .hoverlayer").text_content()
    for part in (
        "System <b>2</b>",
        "nDCG@10: 0.",
        "median latency of a query (ms): 3",
        "tokens per passage: 200",
    ):
        assert part in text


def places(page, side):
    rows = page.locator(f"#{side}-list li")
    ids = rows.locator("code").all_text_contents()
    return ids, dict(zip(ids, rows.locator(".other").all_text_contents(), strict=True))


def test_two_rankings_are_side_by_side(opened):
    page = opened()
    left, elsewhere = places(page, "left")
    right, _ = places(page, "right")
    assert len(left) == len(right) == 8
    assert set(left) == set(right)
    for passage, text in elsewhere.items():
        assert text == f"System <b>1</b>: {right.index(passage) + 1}"
    page.get_by_label("Right").select_option("s2")
    assert places(page, "left")[0] == left
    assert places(page, "right")[0] != right
    page.locator("#query").select_option("1")
    assert places(page, "left")[0] != left
    assert page.locator("#query-text").text_content().startswith("c0 ")
    page.locator("#query-set").select_option("1")
    page.wait_for_function("document.getElementById('query-text').textContent.startsWith('c1 ')")
    assert page.get_by_label("Right").input_value() == "s2"
    assert "4 of 4 queries" in page.locator("#query-count").text_content()


def test_moves_and_grades_match_the_candidates(opened):
    page = opened()
    item = page.locator("#left-list li", has=page.get_by_text("p0", exact=True))
    now = int(item.locator(".place").text_content())
    assert item.locator(".grade").text_content() == "grade 2"
    wanted = "= same place" if now == 1 else f"▼ {now - 1} from 1"  # p0 leads every list
    assert item.locator(".move").text_content() == wanted


def test_a_script_in_a_passage_is_displayed_as_text(opened):
    page = opened()
    item = page.locator("#left-list li", has=page.get_by_text("p0", exact=True))
    assert item.locator("p").text_content() == HOSTILE
    assert page.title() == "Generated <results> · resrank"
    assert page.locator("#queries img").count() == 0


def test_the_keyboard_reaches_everything(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"chart-set", "chart-mode", "BUTTON", "SUMMARY", "query", "left", "right"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_the_page_fits_its_window_in_light_and_dark(opened, width, scheme, tmp_path):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shade = sum(map(int, re.findall(r"\d+", paper)))
    assert shade > 700 if scheme == "light" else shade < 100
    folder = Path(os.environ.get("RESRANK_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"page-{scheme}-{width}.png", full_page=True)


def test_printing_opens_every_part(opened):
    page = opened()
    assert page.locator("details:not([open])").count() > 0
    page.emulate_media(media="print")
    assert len(page.pdf()) > 10_000
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()


def test_no_table_is_cut_off_in_print(opened, tmp_path):
    root = write_results(tmp_path / "wide")
    for ending in ("csv", "md"):  # the widest that there is
        shutil.copy(ROOT / f"results/demo/tables/efficiency.{ending}", root / "tables")
    page = opened(width=A4_LANDSCAPE, at=write_page(root).as_uri())
    page.emulate_media(media="print")
    edges = page.eval_on_selector_all(
        "table", "tables => tables.map(t => t.getBoundingClientRect().right)"
    )
    assert 0 < max(edges) <= A4_LANDSCAPE
    paper = re.search(rb"/MediaBox ?\[0 0 (\S+) (\S+?)\]", page.pdf(prefer_css_page_size=True))
    assert paper is not None
    assert float(paper[1]) > float(paper[2])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(opened, scheme):
    axe = os.environ.get("RESRANK_AXE")
    if not axe:
        pytest.skip(
            "RESRANK_AXE does not name axe-core's axe.min.js; `npm pack axe-core` brings it"
        )
    page = opened(scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.add_script_tag(content=Path(axe).read_text("utf-8"))
    report = page.evaluate("axe.run()")
    assert len(report["passes"]) > 10
    serious = [v for v in report["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []
