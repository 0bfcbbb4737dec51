"""A suite that goes on without an optional collection that no network gives, and fetches it later."""

import hashlib
import io
import zipfile

import pandas as pd
import pytest

from resrank.collections import fetch as module
from resrank.collections.fetch import FetchError
from resrank.io.yaml import ConfigError
from resrank.suite.load import load_suite
from tests.collections.files_server import serve
from tests.conftest import write_beir
from tests.dag import copy_project, snakemake
from tests.entries import parse_collection

NOBODY = "http://127.0.0.1:9"
ABSENT = "no network: 127.0.0.1:9 did not answer"


def zipped(folder):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder))
    return held.getvalue()


def suite_with(data, **more):
    checksum = f"md5:{hashlib.md5(data).hexdigest()}"
    file = {"url": "http://far.example/far.zip", "bytes": len(data), "checksum": checksum}
    return {
        "name": "small", "collections": ["mine", "far"], "systems": ["bm25"],
        "measure": {"queries": 1, "warmup": 0, "scenarios": ["SingleStream"]},
        "define": {"collections": {"mine": {"kind": "beir", "path": "data"},
                                   "far": {"kind": "beir", "archive": file}}},
    } | more  # fmt: skip


def test_skipped_by_name_while_there_is_no_network_and_fetched_when_there_is(tmp_path):
    write_beir(tmp_path / "data")
    data = zipped(tmp_path / "data")
    copy_project(tmp_path, suite_with(data, optional=["far"]))
    fetching = tmp_path / "resrank/collections/fetch.py"
    fetching.write_text(fetching.read_text().replace("FIRST_WAIT = 1.0", "FIRST_WAIT = 0.01"))
    tables = tmp_path / "results/small/tables"
    here = {"RESRANK_DATA": str(tmp_path / "downloads")}

    planned = snakemake(tmp_path, "-n", "all", **here)
    assert planned.returncode == 0
    assert not (tmp_path / "downloads").exists()
    done = snakemake(tmp_path, "all", **here, RESRANK_MIRROR=NOBODY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"skipped: collection far, {ABSENT}" in done.stderr
    message = f"Skipped: far, {ABSENT} (licence: not stated)."
    assert message in (tables / "comparison.md").read_text()
    assert message in (tables.parent / "report/index.html").read_text()
    assert "mean of 1 of 2" in (tables / "comparison.md").read_text()
    again = snakemake(tmp_path, "all", **here, RESRANK_MIRROR=NOBODY)
    assert "1 of 4 steps" in again.stderr  # it is asked for again, and nothing else is done
    assert "2 of 4 steps" not in again.stderr

    with serve({"/far.example/far.zip": data}) as server:
        done = snakemake(tmp_path, "all", **here, RESRANK_MIRROR=server.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.requests == {"/far.example/far.zip": 1}
    compared = pd.read_csv(tables / "comparison.csv")
    assert compared["collection"].tolist() == ["mine", "far", "mean of 2"]
    assert "Skipped" not in (tables / "comparison.md").read_text()
    assert "Nothing to be done" in snakemake(tmp_path, "all", **here).stderr


def test_a_required_one_fails_and_says_what_to_do(tmp_path):
    write_beir(tmp_path / "data")
    copy_project(tmp_path, suite_with(b"not asked"))
    fetching = tmp_path / "resrank/collections/fetch.py"
    fetching.write_text(fetching.read_text().replace("FIRST_WAIT = 1.0", "FIRST_WAIT = 0.01"))
    where = "results/small/collections/far/manifest.json"
    done = snakemake(
        tmp_path, where, RESRANK_MIRROR=NOBODY, RESRANK_DATA=str(tmp_path / "downloads")
    )
    assert done.returncode != 0
    log = (tmp_path / "results/small/logs/collect/far.log").read_text()
    assert "cannot fetch http://127.0.0.1:9/far.example/far.zip: ConnectionError" in log
    assert "a suite goes on without a collection that its `optional` names" in log


@pytest.fixture
def far(tmp_path, monkeypatch):
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "downloads"))
    monkeypatch.setattr(module, "FIRST_WAIT", 0.01)
    return suite_with(b"content")["define"]["collections"]["far"]


@pytest.mark.parametrize("fault", ["404", "500", "wrong", "truncated"])
def test_what_a_server_does_wrong_is_an_error_of_an_optional_one_too(
    fault, far, tmp_path, monkeypatch
):
    with serve({"/far.example/far.zip": b"content"}, lambda *_: fault) as server:
        monkeypatch.setenv("RESRANK_MIRROR", server.url)
        with pytest.raises(FetchError):
            parse_collection(far).fetch()


def test_nobody_answers(far, monkeypatch):
    monkeypatch.setenv("RESRANK_MIRROR", NOBODY)
    assert parse_collection(far).fetch() == ABSENT


def test_what_is_required_or_all_there_is_cannot_be_absent(far, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_beir(tmp_path / "data")
    required = suite_with(b"content")
    assert load_suite(required).maybe_unavailable == []
    assert load_suite(required, {"far": ABSENT}).suite.collections == ["mine", "far"]
    resolved = load_suite(required | {"optional": ["far"]})
    assert resolved.maybe_unavailable == ["far"]
    with pytest.raises(ConfigError, match=f"no collection is left to evaluate: far: {ABSENT}"):
        load_suite(required | {"collections": ["far"], "optional": ["far"]}, {"far": ABSENT})
