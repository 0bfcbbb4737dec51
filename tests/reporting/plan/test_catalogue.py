from resrank.reporting.plan.catalogue import catalogue
from resrank.reporting.plan.plan import plan
from resrank.suite.library import library
from resrank.suite.load import load_suite
from tests.conftest import ROOT


def test_the_docs_contain_the_librarys_table():
    assert catalogue(library().collections) in (ROOT / "docs" / "collections.md").read_text()


def test_sizes_and_checksums_equal_those_of_ir_datasets():
    """Compare by URL, for every file that ir_datasets also lists."""
    import json
    import pkgutil

    listed = {}

    def walk(entry):
        if isinstance(entry, dict) and "url" in entry:
            listed[entry["url"]] = (entry.get("size_hint"), f"md5:{entry.get('expected_md5')}")
        elif isinstance(entry, dict):
            for value in entry.values():
                walk(value)

    walk(json.loads(pkgutil.get_data("ir_datasets", "etc/downloads.json")))
    compared = 0
    for spec in library().collections.values():
        for file in spec.remote_files():
            if file.url in listed:
                assert (file.bytes, file.checksum) == listed[file.url]
                compared += 1
    assert compared >= 11


def test_a_plan_names_what_is_fetched_skipped_and_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path))
    text = plan(load_suite(ROOT / "config" / "paper.yaml"))
    assert "nfcorpus: 1 of 1 files to fetch, 2,448,432 bytes" in text
    assert "skipped: robust04, no data/robust04" in text
    assert "to fetch: 12 files, 2,033,162,876 bytes (2.03 GB)" in text
    assert "castorini/rank_zephyr_7b_v1_full at f3a7cc450793328a5647d1b9596bab1f3de3975b" in text
    mixture = "msmarco (90%), nfcorpus (5%), scifact (5%)"
    assert f"resrank_4b: trained on {mixture}, 21 runs, 7 measurements" in text
    text = plan(load_suite(ROOT / "config" / "small.yaml"))
    assert "Qwen/Qwen3-0.6B at its newest commit (not pinned)" in text
