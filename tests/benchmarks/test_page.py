"""Time and size of the page: `pytest tests/benchmarks/test_page.py --dist=no --benchmark-enable -s`.

The page of 10 systems x 10 collections x 300 queries may take at most 20 s to build and 8 MB. It
may take at most 2 s to open, with its chart and list of queries, in headless Chromium on two cores.
"""

import statistics
import time

import pytest

from resrank.reporting.page.build import write_page
from tests.browser.test_page import browser  # noqa: F401
from tests.reporting.results_folder import write_results

LARGE = {"systems": 10, "collections": 10, "queries": 300, "depth": 100}
SMALL = {"systems": 2, "collections": 1, "queries": 3, "depth": 5}


@pytest.fixture(scope="module")
def root(tmp_path_factory, timed):
    size = LARGE if timed else SMALL
    return write_results(tmp_path_factory.mktemp("results") / "generated", **size)


def test_building(benchmark, root):
    benchmark.group = "page of 10 systems x 10 collections x 300 queries"
    page = benchmark.pedantic(write_page, (root,), rounds=1)
    megabytes = page.stat().st_size / 1e6
    assert megabytes < 8
    if benchmark.enabled:
        print(f"\nbuilt in {benchmark.stats.stats.median:.1f} s, {megabytes:.1f} MB")
        assert benchmark.stats.stats.median <= 20


def test_opening(benchmark, root, browser):  # noqa: F811
    address = write_page(root).as_uri()
    context = browser.new_context()
    benchmark.group = "page of 10 systems x 10 collections x 300 queries"
    times = []

    def opening():
        page = context.new_page()
        started = time.perf_counter()
        page.goto(address, wait_until="commit")
        page.wait_for_selector("#left-list li")
        page.wait_for_selector("#chart .main-svg")
        times.append(time.perf_counter() - started)
        page.close()

    benchmark.pedantic(opening, rounds=5 if benchmark.enabled else 1)
    if benchmark.enabled:
        print(f"\nopen in {statistics.median(times):.1f} s (median of {len(times)})")
        assert statistics.median(times) <= 2
    context.close()
